/** Heads and events of documents. */
import type { DatabaseSync } from 'node:sqlite';
import type { DocumentEvent, Loaded, LoadOptions, LoadRequest } from '../../store.ts';
import { LOAD_EVENTS_MAX } from '../../store.ts';
import type { Chain } from './commits.ts';
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { each, one } from '../connecting/connection.ts';
import type { LogCorrupt } from '../../../errors.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/intern.ts';
import { isCount, isSchemaVersion, isWhole } from '../values.ts';

type Row = readonly [
  version: number,
  position: number,
  type: number | null,
  schemaVersion: number,
  time: number,
  /** Null if it is long. */
  json: string | null,
];

/** In bytes. A longer text is asked for by itself, so that it is read once in an answer however many documents share it. */
const LONG = 1024;

export interface Loader {
  load(requests: readonly LoadRequest[], options?: LoadOptions): Loaded;
  /** The head of a document by its integer: 0 if it has no events. */
  head(document: number): number;
  /**
   * Events of a document by its integer, with versions from `after` (exclusive) to `upTo` (inclusive), dense, as far as
   * there is room. `upTo` is not above the head.
   */
  events(document: number, after: number, upTo: number, room: Room): readonly DocumentEvent[];
}

export function loader(database: DatabaseSync, interned: Interned, chain: Chain): Loader {
  const last = database.prepare('SELECT version FROM attachments WHERE document = ? ORDER BY version DESC LIMIT 1');
  const positionOf = database.prepare('SELECT position FROM attachments WHERE document = ? AND version = ?');
  const select = database.prepare(
    `SELECT a.version, a.position, e.type, e.schema_version, e.time,
       CASE WHEN octet_length(e.json) > ${LONG} THEN NULL ELSE e.json END
     FROM attachments a LEFT JOIN events e ON e.position = a.position
     WHERE a.document = ? AND a.version > ? AND a.version <= ? ORDER BY a.version`,
  );

  const textOf = database.prepare('SELECT json FROM events WHERE position = ?');

  function head(document: number): number {
    const row = one<[number]>(last, document);
    if (row === undefined) return 0;
    if (!isCount(row[0])) throw corrupt('a version that is none', { ...interned.document(document, {}) });
    return row[0];
  }

  /** The head as it was at a position, found by halving: positions rise with versions. */
  function headAsOf(document: number, position: number): number {
    let low = 0;
    let high = head(document);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = one<[number]>(positionOf, document, middle);
      if (row === undefined) throw corrupt('versions of a document have a gap', { document, version: middle });
      if (row[0] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function events(document: number, after: number, upTo: number, room: Room): readonly DocumentEvent[] {
    const last = Math.min(upTo, after + room.rows);
    const found: DocumentEvent[] = [];
    if (last <= after) return found;
    const gap = (): LogCorrupt =>
      corrupt('versions of a document have a gap', {
        ...interned.document(document, {}),
        version: after + found.length + 1,
      });
    let full = false;
    each<Row>(select, [document, after, last], ([version, position, type, schemaVersion, time, short]) => {
      if (version !== after + found.length + 1) throw gap();
      if (type === null) throw corrupt('an event is missing', { position });
      const json = room.textAt(position) ?? short ?? one<[string]>(textOf, position)?.[0];
      if (!isCount(position) || !isSchemaVersion(schemaVersion) || !isWhole(time) || typeof json !== 'string') {
        throw corrupt('an event has a value that is none', { position });
      }
      if (!room.take(json, position)) {
        full = true;
        return false;
      }
      found.push({ type: interned.name(type, { position }), schemaVersion, json, version, position, time });
      return true;
    });
    if (!full && found.length < last - after) throw gap();
    return found;
  }

  return {
    head,
    events,
    load(requests, { asOf, seen } = {}) {
      const end = chain.end();
      interned.follow(end, chain.holds);
      const point = upperBound(asOf);
      const room = new Room(LOAD_EVENTS_MAX);
      const documents = requests.map(({ collection, id, after, upTo }) => {
        const document = interned.documentId(collection, id);
        if (document === undefined) return { document, head: 0, events: [] };
        const reached = point < end.position ? headAsOf(document, point) : head(document);
        return {
          document: reached > 0 ? document : undefined,
          head: reached,
          events: events(document, lowerBound(after), Math.min(reached, upperBound(upTo)), room),
        };
      });
      return { end, holds: seen === undefined || chain.holds(seen), documents };
    },
  };
}
