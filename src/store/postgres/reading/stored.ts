/**
 * Stored documents of a set, by ids or in the order of keys, with the set's place: one statement, so all are as of that place.
 * Rows and bytes are bounded here, before anything is sent.
 *
 * A page is found by one walk along an index, without sorting: keys are compared as pairs, so that a page without an upper bound
 * ends at the next index or set. (100,000 documents: a page of 20 deep in the list takes what the first takes.)
 */
import { Buffer } from 'node:buffer';
import { pageRows } from '../../page-bounds.ts';
import type { IdsRange, KeyRange, StoredDocument, StoredPage } from '../../store.ts';
import { PAGE_BYTES_MAX } from '../../store.ts';
import { textBytes } from '../arrays.ts';
import type { Parameter, Row, Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { bounded, hash, text, whole } from '../values.ts';
import { roomSql } from './room.ts';

/**
 * `found` gives rows (`row` from 1 and the columns of a document), of which `most` may be returned; `known` says
 * whether the answer isn't undefined. The first row says how many were found.
 */
const pageSql = (schema: string, found: string, most: string, known: string): string => `
  WITH found AS MATERIALIZED (${found}),
  page AS (
    SELECT * FROM (
      SELECT found.*, sum(${roomSql('true', 'found.state')}) OVER (ORDER BY found.row) AS bytes FROM found) measured
    WHERE measured.row <= ${most} AND (measured.bytes <= ${PAGE_BYTES_MAX} OR measured.row = 1))
  SELECT place.position, encode(place.hash, 'hex'), (SELECT count(*) FROM found),
    convert_from(page.id, 'UTF8'), page.version, page.changed, page.failed, page.state
  FROM (VALUES (true)) AS answer
  LEFT JOIN (SELECT s.position, s.hash FROM ${schema}.sets s WHERE s.number = $1) place ON ${known}
  LEFT JOIN page ON place.position IS NOT NULL
  ORDER BY page.row`;

const GIVES = 'bigint, text, bigint, text, bigint, bigint, text, text';
const DOCUMENT = 's.id, s.version, s.changed, s.state, s.failed';

const OF_IDS: Reading = {
  name: 'stored_v1',
  takes: 'bigint, bytea[]',
  gives: GIVES,
  sql: (schema) =>
    pageSql(
      schema,
      `SELECT row_number() OVER (ORDER BY given.ordinal) AS row, ${DOCUMENT}
       FROM unnest($2) WITH ORDINALITY AS given (id, ordinal)
       CROSS JOIN LATERAL (SELECT * FROM ${schema}.stored s WHERE s.document_set = $1 AND s.id = given.id LIMIT 1) s`,
      'cardinality($2)',
      'true',
    ),
};

/** Pairs from ($2, $3) to below ($4, $5), one more than the $6 that may be returned. */
const walkSql = (columns: string, from: string, pair: string, order: 'ASC' | 'DESC'): string => {
  const [first, second] = pair.split(', ');
  return `
    SELECT row_number() OVER (ORDER BY w.key ${order}) AS row, w.* FROM (
      SELECT ${columns} FROM ${from} AND (${pair}) >= ($2, $3) AND (${pair}) < ($4, $5)
      ORDER BY ${first} ${order}, ${second} ${order} LIMIT $6 + 1) w`;
};

const ordered = (name: string, order: 'ASC' | 'DESC', failed: boolean): Reading => ({
  name,
  takes: 'bigint, bigint, bytea, bigint, bytea, int',
  gives: GIVES,
  sql: (schema) => {
    const from = `${schema}.stored s WHERE s.failed IS ${failed ? 'NOT ' : ''}NULL`;
    return pageSql(schema, walkSql(`s.id AS key, ${DOCUMENT}`, from, 's.document_set, s.id', order), '$6', 'true');
  },
});

const indexed = (name: string, order: 'ASC' | 'DESC'): Reading => ({
  name,
  takes: 'bigint, bigint, bytea, bigint, bytea, int',
  gives: GIVES,
  sql: (schema) => {
    const walk = walkSql('e.key, e.id', `${schema}.entries e WHERE true`, 'e.index_number, e.key', order);
    // A document that is missing is told of, so its row stays.
    const found = `
      SELECT w.row, w.id, s.version, s.changed, s.state, s.failed FROM (${walk}) w
      LEFT JOIN LATERAL (SELECT * FROM ${schema}.stored s WHERE s.document_set = $1 AND s.id = w.id LIMIT 1) s ON true`;
    const isLive = `EXISTS (SELECT FROM ${schema}.indexes i WHERE i.number = $2 AND i.document_set = $1 AND i.state = 'live')`;
    return pageSql(schema, found, '$6', isLive);
  },
});

type Both = Readonly<Record<'forward' | 'backward', Reading>>;
const both = (make: (order: 'ASC' | 'DESC', suffix: string) => Reading): Both => ({
  forward: make('ASC', 'forward'),
  backward: make('DESC', 'backward'),
});
const BY_ID = both((order, way) => ordered(`stored_${way}_v1`, order, false));
const FAILED = both((order, way) => ordered(`stored_failed_${way}_v1`, order, true));
const INDEXED = both((order, way) => indexed(`stored_indexed_${way}_v1`, order));
export const STORED: readonly Reading[] = [OF_IDS, ...[BY_ID, FAILED, INDEXED].flatMap((ways) => Object.values(ways))];

export class StoredDocuments {
  stored(query: Calls, range: IdsRange | KeyRange): Promise<StoredPage | undefined> {
    return 'ids' in range ? this.#ofIds(query, range) : this.#ofKeys(query, range);
  }

  async #ofIds(query: Calls, { set, ids }: IdsRange): Promise<StoredPage | undefined> {
    return pageOf(await query(OF_IDS, [String(bounded(set)), textBytes(ids)]), set);
  }

  async #ofKeys(query: Calls, range: KeyRange): Promise<StoredPage | undefined> {
    const { set, index, from, below, reverse = false, limit, failed = false } = range;
    const ways = index === undefined ? (failed ? FAILED : BY_ID) : INDEXED;
    const number = bounded(index ?? set);
    const parameters: Parameter[] = [
      String(bounded(set)),
      String(number),
      bytesOf(from),
      String(below === undefined ? number + 1 : number),
      bytesOf(below),
      String(pageRows(limit)),
    ];
    return pageOf(await query(reverse ? ways.backward : ways.forward, parameters), set);
  }
}

function bytesOf(bytes: Uint8Array = new Uint8Array(0)): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pageOf(rows: readonly Row[], set: number): StoredPage | undefined {
  const [position, hashed, found] = rows[0]!;
  if (position === null || position === undefined) return undefined;
  const where = { set };
  const place = { position: whole(position, 'the place of a set', where), hash: hash(hashed, where) };
  const documents = rows[0]![ID] === null ? [] : rows.map((row) => storedDocument(row.slice(ID), where));
  return { place, documents, more: documents.length < whole(found, 'a number of documents', where) };
}

/** Where the columns of a document begin. */
const ID = 3;

/** Reads id, version, changed version, failure and state. */
export function storedDocument(
  [id, version, changed, failed, state]: readonly (Value | undefined)[],
  where: Readonly<Record<string, unknown>>,
): StoredDocument {
  const at = { ...where, id };
  if (version === null) throw corrupt('a stored document is missing', at);
  const document = {
    id: text(id, 'the id of a stored document', where),
    version: whole(version, 'the version of a stored document', at),
    changed: whole(changed, 'the version of a stored document', at),
    state: text(state, 'a state', at),
  };
  if (document.changed > document.version) throw corrupt("the version of a stored document isn't valid", at);
  return typeof failed === 'string' ? { ...document, failed } : document;
}
