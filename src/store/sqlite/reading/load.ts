/** Heads and events of documents. */
import type { DatabaseSync } from 'node:sqlite';
import { LOAD_EVENTS_MAX } from '../../store.ts';
import type { DocumentEvent, Loaded, LoadedDocument, LoadOptions, LoadRequest, LogEnd } from '../../store.ts';
import type { Commits } from './commits.ts';
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { each, one } from '../connecting/connection.ts';
import type { LogCorrupt } from '../../../errors.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/interned.ts';
import type { StoredDocuments } from './stored.ts';
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

interface Parts {
  readonly interned: Interned;
  readonly commits: Commits;
  readonly stored: StoredDocuments;
  readonly registry: { generation(): number };
}

/** In bytes. A longer text is read by its own statement: only once for each answer, however many documents share it. */
const LONG = 1024;

export class Loader {
  readonly #sql;
  readonly #interned: Interned;
  readonly #commits: Commits;
  readonly #stored: StoredDocuments;
  readonly #registry: { generation(): number };

  constructor(database: DatabaseSync, { interned, commits, stored, registry }: Parts) {
    this.#sql = {
      last: database.prepare('SELECT version FROM attachments WHERE document = ? ORDER BY version DESC LIMIT 1'),
      positionOf: database.prepare('SELECT position FROM attachments WHERE document = ? AND version = ?'),
      events: database.prepare(
        `SELECT a.version, a.position, e.type, e.schema_version, e.time,
           CASE WHEN octet_length(e.json) > ${LONG} THEN NULL ELSE e.json END
         FROM attachments a LEFT JOIN events e ON e.position = a.position
         WHERE a.document = ? AND a.version > ? AND a.version <= ? ORDER BY a.version`,
      ),
      textOf: database.prepare('SELECT json FROM events WHERE position = ?'),
    };
    this.#interned = interned;
    this.#commits = commits;
    this.#stored = stored;
    this.#registry = registry;
  }

  load(requests: readonly LoadRequest[], { asOf, seen }: LoadOptions = {}): Loaded {
    const end = this.#commits.end();
    const point = upperBound(asOf);
    const room = new Room(LOAD_EVENTS_MAX);
    const documents = requests.map((request) => this.#document(request, point, end, room));
    const generation = this.#registry.generation();
    return { end, holds: seen === undefined || this.#commits.holds(seen), generation, documents };
  }

  /** The head of a document by its number: 0 if it has no events. */
  head(document: number): number {
    const row = one<[number]>(this.#sql.last, document);
    if (row === undefined) return 0;
    if (!isCount(row[0])) throw corrupt("a version isn't valid", { ...this.#interned.document(document, {}) });
    return row[0];
  }

  /**
   * Events of a document by its number, with versions from `after` (exclusive) to `upTo` (inclusive, not above the head), without
   * gaps, as far as there is room.
   */
  events(document: number, after: number, upTo: number, room: Room): readonly DocumentEvent[] {
    const last = Math.min(upTo, after + room.rows);
    const found: DocumentEvent[] = [];
    if (last <= after) return found;
    let full = false;
    each<Row>(this.#sql.events, [document, after, last], (row) => {
      const expected = after + found.length + 1;
      if (row[0] !== expected) throw this.#gap(document, expected);
      const event = this.#event(row, room);
      full = !room.take(event.json, event.position);
      if (!full) found.push(event);
      return !full;
    });
    if (!full && found.length < last - after) throw this.#gap(document, after + found.length + 1);
    return found;
  }

  #document({ collection, id, after, upTo, set }: LoadRequest, point: number, end: LogEnd, room: Room): LoadedDocument {
    const document = this.#interned.documentNumber(collection, id);
    if (document === undefined) return { document, head: 0, events: [] };
    const head = point < end.position ? this.#headAsOf(document, point) : this.head(document);
    const shown = { document: head > 0 ? document : undefined, head };
    const [from, last] = [lowerBound(after), Math.min(head, upperBound(upTo))];
    const mayBeStored = set !== undefined && from < last && room.rows > 0;
    const stored = mayBeStored ? this.#stored.between(set, id, from, last) : undefined;
    if (!stored) return { ...shown, events: this.events(document, from, last, room) };
    if (!room.take(stored.state)) return { ...shown, events: [] };
    return { ...shown, stored, events: this.events(document, stored.version, last, room) };
  }

  /** The head as it was at a position, by binary search: positions rise with versions. */
  #headAsOf(document: number, position: number): number {
    let low = 0;
    let high = this.head(document);
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = one<[number]>(this.#sql.positionOf, document, middle);
      if (row === undefined) throw corrupt('versions of a document have a gap', { document, version: middle });
      if (row[0] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #event([version, position, type, schemaVersion, time, short]: Row, room: Room): DocumentEvent {
    if (type === null) throw corrupt('an event is missing', { position });
    const json = room.textAt(position) ?? short ?? one<[string]>(this.#sql.textOf, position)?.[0];
    if (!isCount(position) || !isSchemaVersion(schemaVersion) || !isWhole(time) || typeof json !== 'string') {
      throw corrupt("a value of an event isn't valid", { position });
    }
    return { type: this.#interned.name(type, { position }), schemaVersion, json, version, position, time };
  }

  #gap(document: number, version: number): LogCorrupt {
    return corrupt('versions of a document have a gap', { ...this.#interned.document(document, {}), version });
  }
}
