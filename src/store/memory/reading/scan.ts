/** Pages of the log as a fold needs them. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { LogEnd, ScannedEvent, ScanPage, ScanRange } from '../../store.ts';
import { findDocument, fitting, holds, type Log } from '../schema.ts';

export class Scanner {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  scan(end: LogEnd, { after, limit, known, seen }: ScanRange): ScanPage {
    const from = Math.min(lowerBound(after), end.position);
    const rows = fitting(this.#log.events, from, end.position, new Room(pageRows(limit)));
    const named = new Map<number, ScanPage['named'][number]>();
    const events = rows.map(({ type, schemaVersion, json, position, commit, attachments }): ScannedEvent => {
      const numbers = attachments.flatMap(({ collection, id, version }) => {
        const document = findDocument(this.#log, collection, id)!.number;
        if (!known(document)) named.set(document, { document, collection, id });
        return [document, version];
      });
      return { type, schemaVersion, json, position, time: commit.time, attachments: numbers };
    });
    const reached = from + rows.length;
    const next = reached < end.position ? reached : undefined;
    return { end, holds: seen === undefined || holds(this.#log, seen), events, named: [...named.values()], next };
  }
}
