/** Pages of the log as a fold needs them. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { DocumentRef, LogEnd, ScanPage, ScanRange, StoredEvent } from '../../store.ts';
import { findDocument, fitting, holds } from '../schema.ts';
import type { Log } from '../schema.ts';

export function scan(log: Log, end: LogEnd, { after, limit, known, seen }: ScanRange): ScanPage {
  const from = Math.min(lowerBound(after), end.position);
  const rows = fitting(log.events, from, end.position, new Room(pageRows(limit)));
  const named = new Map<number, DocumentRef & { readonly document: number }>();
  const numbers = ({ attachments }: StoredEvent): readonly number[] =>
    attachments.flatMap(({ collection, id, version }) => {
      const document = findDocument(log, collection, id)!.number;
      if (!known(document)) named.set(document, { document, collection, id });
      return [document, version];
    });
  const events = rows.map((event) => {
    const { type, schemaVersion, json, position, commit } = event;
    return { type, schemaVersion, json, position, time: commit.time, attachments: numbers(event) };
  });
  const reached = from + rows.length;
  const next = reached < end.position ? reached : undefined;
  return { end, holds: seen === undefined || holds(log, seen), events, named: [...named.values()], next };
}
