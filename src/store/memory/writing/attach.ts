/** Attaching events that are stored already to the documents of a keying, and removing a retired keying's. */
import type { FoundIds, StoredEvent } from '../../store.ts';
import { compareDocuments } from '../reading/order.ts';
import { documentRow, type Log } from '../schema.ts';

/** Each event gives its documents their next version. Pages of a keying come in the order of the log. */
export function attachLater(log: Log, collection: string, attachments: readonly FoundIds[]): void {
  for (const { position, ids } of attachments) {
    const event = log.events[position - 1]!;
    const { type, schemaVersion, json, commit } = event;
    const later = ids.map((id) => {
      const { events } = documentRow(log, { collection, id });
      const version = events.length + 1;
      events.push(Object.freeze({ type, schemaVersion, json, version, position, time: commit.time }));
      return Object.freeze({ collection, id, version });
    });
    replace(log, event, later);
  }
}

/** Those attached later come after those that were appended, ordered by document. */
function replace(log: Log, event: StoredEvent, later: StoredEvent['attachments']): void {
  const appended = log.appended.get(event.position) ?? event.attachments.length;
  log.appended.set(event.position, appended);
  const attached = [...event.attachments.slice(appended), ...later].sort(compareDocuments);
  const attachments = Object.freeze([...event.attachments.slice(0, appended), ...attached]);
  log.events[event.position - 1] = Object.freeze({ ...event, attachments });
}

/** The documents of a retired keying have no events any more. Their rows stay: events still name them. */
export function detach(log: Log, collection: string): void {
  for (const row of log.documents.get(collection)?.values() ?? []) {
    for (const { position } of row.events) {
      const event = log.events[position - 1]!;
      const appended = log.appended.get(position) ?? event.attachments.length;
      const isKept = ({ collection: other }: { readonly collection: string }): boolean => other !== collection;
      const kept = event.attachments.filter(isKept);
      log.appended.set(position, event.attachments.slice(0, appended).filter(isKept).length);
      log.events[position - 1] = Object.freeze({ ...event, attachments: Object.freeze(kept) });
    }
    row.events.length = 0;
  }
}
