/** Pages of the log as a fold needs them. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { LogEnd, ScannedEvent, ScanPage, ScanRange, StoredEvent } from '../../store.ts';
import { findDocument, fitting, holds, type Log } from '../schema.ts';

type Named = ScanPage['named'][number];

export class Scanner {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  scan(end: LogEnd, { after, limit, known, seen }: ScanRange): ScanPage {
    const from = Math.min(lowerBound(after), end.position);
    const rows = fitting(this.#log.events, from, end.position, new Room(pageRows(limit)));
    const named = new Map<number, Named>();
    const events = rows.map((event) => this.#scanned(event, known, named));
    const reached = from + rows.length;
    const next = reached < end.position ? reached : undefined;
    return { end, holds: seen === undefined || holds(this.#log, seen), events, named: [...named.values()], next };
  }

  /** Adds the documents of an event that aren't known to `named`. */
  #scanned(event: StoredEvent, known: ScanRange['known'], named: Map<number, Named>): ScannedEvent {
    const { type, schemaVersion, json, position, commit } = event;
    const attachments = event.attachments.flatMap(({ collection, id, version }) => {
      const document = findDocument(this.#log, collection, id)!.number;
      if (!known(document)) named.set(document, { document, collection, id });
      return [document, version];
    });
    return { type, schemaVersion, json, position, time: commit.time, attachments };
  }
}
