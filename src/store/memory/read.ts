/**
 * Pages: of the log, forward or backward, perhaps of some types only, and of one document's events.
 */
import { PAGE_POSITIONS_MAX, PAGE_ROWS_MAX } from '../store.ts';
import type { DocumentRange, EventPage, LogEnd, LogRange, StoredEvent } from '../store.ts';
import { findDocument, headAt } from './schema.ts';
import type { Log } from './schema.ts';

export function read(log: Log, end: LogEnd, range: LogRange | DocumentRange): EventPage {
  return 'document' in range ? readDocument(log, end, range) : readLog(log, end, range);
}

function readLog(log: Log, end: LogEnd, { after = 0, before = Infinity, types, reverse, limit }: LogRange): EventPage {
  const lowest = after + 1;
  const highest = Math.min(before - 1, end.position);
  const rows = Math.min(limit, PAGE_ROWS_MAX);
  const wanted = types && new Set(types);
  const events: StoredEvent[] = [];
  const step = reverse ? -1 : 1;
  let position = reverse ? highest : lowest;
  for (let looked = 0; position >= lowest && position <= highest; position += step, looked++) {
    if (events.length === rows || looked === PAGE_POSITIONS_MAX) return { end, events, next: position - step };
    const event = log.events[position - 1]!;
    if (wanted === undefined || wanted.has(event.type)) events.push(event);
  }
  return { end, events, next: undefined };
}

function readDocument(log: Log, end: LogEnd, { document, after, limit }: DocumentRange): EventPage {
  const row = findDocument(log, document.collection, document.id);
  const head = headAt(row, end.position);
  const last = Math.max(after, Math.min(head, after + limit, after + PAGE_ROWS_MAX));
  const events = row?.events.slice(after, last).map(({ position }) => log.events[position - 1]!) ?? [];
  return { end, events, next: last < head ? last : undefined };
}
