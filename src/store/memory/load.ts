/**
 * What a fold needs: heads and events of documents, all as of one point of the log.
 */
import { LOAD_EVENTS_MAX } from '../store.ts';
import type { Loaded, LoadOptions, LoadRequest, LogEnd } from '../store.ts';
import { findDocument, headAt } from './schema.ts';
import type { Log } from './schema.ts';

export function load(log: Log, end: LogEnd, requests: readonly LoadRequest[], options: LoadOptions = {}): Loaded {
  const asOf = Math.min(options.asOf ?? end.position, end.position);
  let room = LOAD_EVENTS_MAX;
  const documents = requests.map(({ collection, id, after, upTo = Infinity }) => {
    const row = findDocument(log, collection, id);
    const head = headAt(row, asOf);
    const events = row?.events.slice(after, Math.max(after, Math.min(head, upTo, after + room))) ?? [];
    room -= events.length;
    return { head, events };
  });
  return { end, documents };
}
