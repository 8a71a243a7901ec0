/** Stored documents: by id, in the order of ids, and in that of an index. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { pageRows } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import type { IdsRange, KeyRange, LogPoint, StoredDocument, StoredPage } from '../../store.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { isTextOrNull, isWhole } from '../values.ts';

/** In bytes. A longer state is read by its own statement: several rows are read at once, and could take any memory. */
const LONG = 64 * 1024;

const STATE = `CASE WHEN octet_length(s.state) > ${LONG} THEN NULL ELSE s.state END`;
/** Each column of each row costs: that of failures is read only where there are any. */
const SOUND = `s.id, s.version, s.changed, ${STATE}`;
const ALL = `${SOUND}, s.failed`;

type Row = readonly [
  id: string,
  version: number,
  changed: number,
  /** Null if it is long. */
  state: string | null,
  failed?: string | null,
];

/** Rows of the first statement (row by row costs half as much again), and of one after rows that were short. */
const ROWS = 64;
const MORE_ROWS = 256;

/** Where documents are read from, by the columns of a range. */
interface Source {
  readonly columns: string;
  readonly from: string;
  readonly key: string;
  /** How a bound is written. */
  readonly bound: string;
}

// Joined by the row's number: by the id, a page took a third longer.
const INDEX: Source = {
  columns: SOUND,
  from: 'entries e LEFT JOIN stored s ON s.number = e.document AND s.failed IS NULL WHERE e.number = ?',
  key: 'e.key',
  bound: '?',
};
const KEYS: Source = { ...INDEX, columns: 'e.key', from: 'entries e WHERE e.number = ?' };
// A text is compared byte by byte, also one that isn't valid: a bound may be any bytes.
const IDS: Source = {
  columns: SOUND,
  from: 'stored s WHERE s.document_set = ? AND s.failed IS NULL',
  key: 's.id',
  bound: 'CAST(? AS TEXT)',
};
const FAILED: Source = {
  ...IDS,
  columns: ALL,
  from: 'stored s WHERE s.document_set = ? AND s.failed IS NOT NULL',
};

type Pages = ReturnType<typeof pagesOf>;

export class StoredDocuments {
  readonly #sql;
  readonly #index: Pages;
  readonly #keys: Pages;
  readonly #ids: Pages;
  readonly #failed: Pages;

  constructor(database: DatabaseSync) {
    this.#sql = {
      place: database.prepare(
        `SELECT position, lower(hex(hash)),
           EXISTS (SELECT 1 FROM indexes WHERE number = ?2 AND document_set = ?1 AND state = 'live')
         FROM sets WHERE number = ?1`,
      ),
      ofId: database.prepare(`SELECT ${ALL} FROM stored s WHERE s.document_set = ? AND s.id = ?`),
      stateOf: database.prepare('SELECT state FROM stored WHERE document_set = ? AND id = ?'),
      between: database.prepare(
        `SELECT ${ALL} FROM stored s
         WHERE s.document_set = ?1 AND s.id = ?2 AND s.version > ?3 AND s.version <= ?4
           AND EXISTS (SELECT 1 FROM sets WHERE number = ?1)`,
      ),
    };
    this.#index = pagesOf(database, INDEX);
    this.#keys = pagesOf(database, KEYS);
    this.#ids = pagesOf(database, IDS);
    this.#failed = pagesOf(database, FAILED);
  }

  /** Where a set is; undefined if it isn't registered, or has no such live index. */
  place(set: number, index?: number): LogPoint | undefined {
    const row = one<[number, string, number]>(this.#sql.place, set, index ?? null);
    if (row === undefined || (index !== undefined && row[2] === 0)) return undefined;
    const [position, hash] = row;
    if (!isWhole(position) || hash.length !== 64) throw corrupt("the place of a set isn't valid", { set });
    return { position, hash };
  }

  stored(range: IdsRange | KeyRange): StoredPage | undefined {
    if ('ids' in range) {
      const place = this.place(range.set);
      return place && this.#byIds(range, place);
    }
    const { set, index, failed = false } = range;
    const place = this.place(set, index);
    if (place === undefined) return undefined;
    if (index !== undefined) return this.#page(range, place, this.#index, index);
    return this.#page(range, place, failed ? this.#failed : this.#ids, set);
  }

  /** A document of a registered set, if it is stored at a version above `after`, up to `upTo`. */
  between(set: number, id: string, after: number, upTo: number): StoredDocument | undefined {
    const row = one<Row>(this.#sql.between, set, id, after, upTo);
    return row && this.#stored(row, set);
  }

  #byIds({ set, ids }: IdsRange, place: LogPoint): StoredPage {
    const room = new Room(ids.length);
    const documents: StoredDocument[] = [];
    for (const id of ids) {
      const row = one<Row>(this.#sql.ofId, set, id);
      if (row === undefined) continue;
      const document = this.#stored(row, set);
      if (!room.take(document.state)) return { place, documents, more: true };
      documents.push(document);
    }
    return { place, documents, more: false };
  }

  #page(range: KeyRange, place: LogPoint, pages: Pages, number: number): StoredPage {
    const { set, index, from = NO_BYTES, below, reverse = false, limit } = range;
    const room = new Room(pageRows(limit));
    const documents: StoredDocument[] = [];
    let ask = ROWS;
    /** The key of the last row: the next rows are beyond it. */
    let last: Uint8Array | undefined;
    for (;;) {
      // One more than there is room for: it says whether there are more.
      const rowsMax = Math.min(ask, room.rows + 1);
      const bounds = { from, below, last, reverse };
      const rows = rowsOf<Row>(pages, number, bounds, rowsMax);
      let units = 0;
      for (const row of rows) {
        const document = this.#stored(row, set, index);
        if (!room.take(document.state)) return { place, documents, more: true };
        documents.push(document);
        units += document.state.length;
      }
      if (rows.length < rowsMax) return { place, documents, more: false };
      last = index === undefined ? Buffer.from(documents.at(-1)!.id) : this.#keyAt(index, bounds, rowsMax - 1);
      ask = units < LONG ? MORE_ROWS : ROWS;
    }
  }

  /** The key after so many others. Asked for by itself: with each document it would make a page a fifth slower. */
  #keyAt(index: number, bounds: Bounds, skipped: number): Uint8Array {
    const [[key]] = rowsOf<[Uint8Array]>(this.#keys, index, bounds, 1, skipped) as [[Uint8Array]];
    return key;
  }

  #stored([id, version, changed, short, failed = null]: Row, set: number, index?: number): StoredDocument {
    // The row is all null where an entry has no document, or one that has no entries.
    if (id === null) throw corrupt('an index names a document that isn’t there', { set, index });
    const state = short ?? this.#longState(set, id);
    assertStored(set, id, version, changed, failed, state);
    return failed === null ? { id, version, changed, state } : { id, version, changed, state, failed };
  }

  #longState(set: number, id: string): string {
    return one<[string]>(this.#sql.stateOf, set, id)?.[0] as string;
  }
}

function assertStored(
  set: number,
  id: unknown,
  version: unknown,
  changed: unknown,
  failed: unknown,
  state: unknown,
): void {
  const areTexts = typeof id === 'string' && typeof state === 'string' && isTextOrNull(failed);
  if (!areTexts || !isWhole(version) || !isWhole(changed)) throw corrupt("a stored document isn't valid", { set, id });
}

const NO_BYTES = new Uint8Array(0);

interface Bounds {
  readonly from: Uint8Array;
  readonly below: Uint8Array | undefined;
  readonly last: Uint8Array | undefined;
  readonly reverse: boolean;
}

/** The next rows of a range. */
function rowsOf<R extends readonly unknown[]>(
  pages: Pages,
  number: number,
  { from, below, last, reverse }: Bounds,
  most: number,
  skipped = 0,
): readonly R[] {
  const run = (statement: StatementSync, ...bounds: readonly SQLInputValue[]): readonly R[] =>
    all<R>(statement, number, ...bounds, most, skipped);
  if (reverse) {
    const end = last ?? below;
    return end === undefined ? run(pages.backward, from) : run(pages.backwardBelow, from, end);
  }
  const { above, aboveBelow, forward, forwardBelow } = pages;
  const start = last ?? from;
  if (below === undefined) return run(last ? above : forward, start);
  return run(last ? aboveBelow : forwardBelow, start, below);
}

function pagesOf(database: DatabaseSync, { columns, from, key, bound }: Source) {
  const page = (lowest: '>' | '>=', isBelow: boolean, direction: 'ASC' | 'DESC'): StatementSync =>
    database.prepare(
      `SELECT ${columns} FROM ${from} AND ${key} ${lowest} ${bound} ${isBelow ? `AND ${key} < ${bound}` : ''}
       ORDER BY ${key} ${direction} LIMIT ? OFFSET ?`,
    );
  return {
    forward: page('>=', false, 'ASC'),
    forwardBelow: page('>=', true, 'ASC'),
    above: page('>', false, 'ASC'),
    aboveBelow: page('>', true, 'ASC'),
    backward: page('>=', false, 'DESC'),
    backwardBelow: page('>=', true, 'DESC'),
  };
}
