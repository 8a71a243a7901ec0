/** Pages of the log, or of one document's events. */
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { PAGE_POSITIONS_MAX } from '../../store.ts';
import type { DocumentRange, EventPage, LogEnd, LogRange, StoredEvent } from '../../store.ts';
import { findDocument, fitting, headAt, type Log } from '../schema.ts';

export class Reader {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  read(end: LogEnd, range: LogRange | DocumentRange): EventPage {
    return 'document' in range ? this.#ofDocument(end, range) : this.#ofLog(end, range);
  }

  #ofLog(end: LogEnd, { after, before, types, reverse, limit }: LogRange): EventPage {
    const lowest = lowerBound(after) + 1;
    // Exclusive: below 7.5 is not above 7.
    const highest = Math.min(upperBound(before && Math.ceil(before) - 1), end.position);
    const rows = pageRows(limit);
    const room = new Room(rows);
    const wanted = types && new Set(types);
    const events: StoredEvent[] = [];
    const step = reverse ? -1 : 1;
    let position = reverse ? highest : lowest;
    for (let looked = 0; position >= lowest && position <= highest; position += step, looked++) {
      if (events.length === rows || looked === PAGE_POSITIONS_MAX) return { end, events, next: position - step };
      const event = this.#log.events[position - 1]!;
      if (wanted !== undefined && !wanted.has(event.type)) continue;
      if (!room.take(event.json, undefined, event.attachments.length))
        return { end, events, next: events.at(-1)!.position };
      events.push(event);
    }
    return { end, events, next: undefined };
  }

  #ofDocument(end: LogEnd, { document, after, limit }: DocumentRange): EventPage {
    const row = findDocument(this.#log, document.collection, document.id);
    const head = headAt(row, end.position);
    const from = lowerBound(after);
    const last = Math.min(head, from + pageRows(limit));
    const rows = (row?.events ?? []).slice(from, last).map(({ position }) => this.#log.events[position - 1]!);
    const events = fitting(rows, 0, rows.length, new Room(Infinity));
    const reached = from + events.length;
    return { end, events, next: reached < head ? reached : undefined };
  }
}
