/** Pages of the log as a fold needs them, without the commits: these would cost as much as all the rest. */
import type { DatabaseSync } from 'node:sqlite';
import { lowerBound, pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { LogEnd, ScanPage, ScannedEvent, ScanRange } from '../../store.ts';
import type { Commits } from './commits.ts';
import { all } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/interned.ts';
import { inlineList } from './inline.ts';
import type { Later, LaterLists } from './later.ts';
import type { EventRow } from './read.ts';
import { isSchemaVersion, isWhole } from '../values.ts';

/**
 * Rows of the first statement. Reading row by row costs twice as much, and all at once could take any memory: so few first, and
 * more as long as their texts are short.
 */
const ROWS = 32;
const SHORT_TEXTS = 64 * 1024;

export class Scanner {
  readonly #rowsAfter;
  readonly #interned: Interned;
  readonly #commits: Commits;
  readonly #later: Later;

  constructor(database: DatabaseSync, interned: Interned, commits: Commits, later: Later) {
    this.#rowsAfter = database.prepare(
      `SELECT position, type, schema_version, time, attachments, json FROM events
       WHERE position > ? ORDER BY position LIMIT ?`,
    );
    this.#interned = interned;
    this.#commits = commits;
    this.#later = later;
  }

  scan({ after, limit, known, seen }: ScanRange): ScanPage {
    const end = this.#commits.end();
    const from = lowerBound(after);
    const events = this.#eventsAfter(from, pageRows(limit), end);
    const reached = from + events.length;
    return {
      end,
      holds: seen === undefined || this.#commits.holds(seen),
      events,
      named: this.#named(events, known),
      next: reached < end.position ? reached : undefined,
    };
  }

  #eventsAfter(after: number, most: number, end: LogEnd): readonly ScannedEvent[] {
    const room = new Room(most);
    const events: ScannedEvent[] = [];
    let reached = after;
    let ask = ROWS;
    while (reached < end.position && room.rows > 0) {
      const rows = all<EventRow>(this.#rowsAfter, reached, Math.min(ask, room.rows, end.position - reached));
      if (rows.length === 0) throw corrupt('an event is missing', { position: reached + 1 });
      const later = this.#later.within(reached + 1, reached + rows.length);
      let length = 0;
      for (const row of rows) {
        const event = this.#scanned(row, reached + 1, later);
        if (!room.take(event.json, undefined, event.attachments.length / 2)) break;
        events.push(event);
        reached += 1;
        length += event.json.length;
      }
      ask = length < SHORT_TEXTS ? ask * 4 : ROWS;
    }
    return events;
  }

  #scanned(row: EventRow, expected: number, later: LaterLists): ScannedEvent {
    const [position, type, schemaVersion, time, attachments, json] = row;
    if (position !== expected) throw corrupt('an event is missing', { position: expected });
    if (!isWhole(time) || !isSchemaVersion(schemaVersion) || typeof json !== 'string') {
      throw corrupt("a value of an event isn't valid", { position });
    }
    const listed = inlineList(attachments, position);
    const more = later.get(position);
    return {
      type: this.#interned.name(type, { position }),
      schemaVersion,
      json,
      position,
      time,
      attachments: more ? [...listed, ...more] : listed,
    };
  }

  #named(events: readonly ScannedEvent[], known: ScanRange['known']): ScanPage['named'] {
    const named = new Map<number, ScanPage['named'][number]>();
    for (const { attachments, position } of events) {
      for (let index = 0; index < attachments.length; index += 2) {
        const document = attachments[index]!;
        if (known(document) || named.has(document)) continue;
        named.set(document, { document, ...this.#interned.document(document, { position }) });
      }
    }
    return [...named.values()];
  }
}
