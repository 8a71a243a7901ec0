/** Pages of the log as a fold needs them: no look at the commits, which would cost as much as all the rest. */
import type { DatabaseSync } from 'node:sqlite';
import { lowerBound, pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { DocumentRef, ScanPage, ScannedEvent, ScanRange } from '../../store.ts';
import type { Chain } from './commits.ts';
import { all } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/intern.ts';
import { inlineList, type EventRow } from './read.ts';
import { isSchemaVersion, isWhole } from '../values.ts';

/**
 * Rows fetched by one statement: asking row by row costs twice as much, asking for all could take any memory. So few
 * first, and more as long as their texts are short.
 */
const ROWS = 32;
const SHORT_TEXTS = 64 * 1024;

export function scanner(database: DatabaseSync, interned: Interned, chain: Chain): (range: ScanRange) => ScanPage {
  const rowsAfter = database.prepare(
    `SELECT position, type, schema_version, time, attachments, json FROM events
     WHERE position > ? ORDER BY position LIMIT ?`,
  );

  function scanned(row: EventRow, expected: number): ScannedEvent {
    const [position, type, schemaVersion, time, attachments, json] = row;
    if (position !== expected) throw corrupt('an event is missing', { position: expected });
    if (!isWhole(time) || !isSchemaVersion(schemaVersion) || typeof json !== 'string') {
      throw corrupt('an event has a value that is none', { position });
    }
    return {
      type: interned.name(type, { position }),
      schemaVersion,
      json,
      position,
      time,
      attachments: inlineList(attachments, position),
    };
  }

  return ({ after, limit, known, seen }) => {
    const end = chain.end();
    interned.follow(end, chain.holds);
    const room = new Room(pageRows(limit));
    const events: ScannedEvent[] = [];
    const named = new Map<number, DocumentRef & { readonly document: number }>();
    const name = ({ attachments, position }: ScannedEvent): void => {
      for (let index = 0; index < attachments.length; index += 2) {
        const document = attachments[index]!;
        if (known(document) || named.has(document)) continue;
        named.set(document, { document, ...interned.document(document, { position }) });
      }
    };
    let reached = lowerBound(after);
    let ask = ROWS;
    while (reached < end.position && room.rows > 0) {
      const rows = all<EventRow>(rowsAfter, reached, Math.min(ask, room.rows, end.position - reached));
      if (rows.length === 0) throw corrupt('an event is missing', { position: reached + 1 });
      let length = 0;
      for (const row of rows) {
        const event = scanned(row, reached + 1);
        if (!room.take(event.json, undefined, event.attachments.length / 2)) break;
        name(event);
        events.push(event);
        reached += 1;
        length += event.json.length;
      }
      ask = length < SHORT_TEXTS ? ask * 4 : ROWS;
    }
    const next = reached < end.position ? reached : undefined;
    return { end, holds: seen === undefined || chain.holds(seen), events, named: [...named.values()], next };
  };
}
