/** Pages of the log or of a document's events, with all that is recorded about each event. One statement each. */
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import type {
  DocumentRange,
  DocumentRef,
  DocumentVersion,
  EventPage,
  LogEnd,
  LogRange,
  StoredCommit,
  StoredEvent,
} from '../../store.ts';
import { PAGE_ATTACHMENTS_MAX, PAGE_BYTES_MAX, PAGE_POSITIONS_MAX } from '../../store.ts';
import { texts } from '../arrays.ts';
import { COMMIT_COLUMNS, COMMIT_GIVES, endOf, endSql, storedCommit } from './commits.ts';
import type { Row, Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { anyLaterSql, wholeListSql } from './later.ts';
import { documentSql, headSql } from './load.ts';
import { above, count, schemaVersion, text, upTo, whole } from '../values.ts';

const eventSql = (schema: string): string =>
  `e.position, e.type, e.schema_version, e.time, ${wholeListSql(schema, 'e', anyLaterSql(schema))} AS attachments, e.json`;

/** How many numbers `events.attachments` lists: two for each document. */
export const LISTED = `cardinality(string_to_array(attachments, ','))`;

/**
 * `found` gives at most a page of rows: `row` (from 1), `version` (on a document's page) and the columns of an event. A commit
 * is sent once, with its first event on the page, and the name of each document once.
 */
const pageSql = (schema: string, found: string, extra: string): string => `
  WITH log AS MATERIALIZED ${endSql(schema)},
  found AS (${found}),
  page AS MATERIALIZED (
    SELECT * FROM (
      SELECT found.*, sum(octet_length(found.json)) OVER answer AS bytes, sum(${LISTED}) OVER answer AS listed
      FROM found WINDOW answer AS (ORDER BY found.row)) measured
    WHERE (measured.bytes <= ${PAGE_BYTES_MAX} AND measured.listed <= ${2 * PAGE_ATTACHMENTS_MAX}) OR measured.row = 1)
  SELECT log.position, log.recorded_at, log.hash,
    CASE WHEN coalesce(page.row, 1) = 1 THEN ${extra} END,
    CASE WHEN page.row = 1 THEN (
      SELECT json_agg(json_build_array(d.number, n.name, d.id))
      FROM (
        SELECT DISTINCT item.value AS number
        FROM page, unnest(string_to_array(page.attachments, ',')::bigint[]) WITH ORDINALITY AS item (value, ordinal)
        WHERE item.ordinal % 2 = 1
      ) named
      CROSS JOIN LATERAL (SELECT * FROM ${schema}.documents d WHERE d.number = named.number LIMIT 1) d
      JOIN ${schema}.names n ON n.number = d.collection
    ) END,
    page.version, page.position, t.name, page.schema_version, page.time, page.attachments, page.json,
    ${COMMIT_COLUMNS.map((column) => (column === 'c.position' ? column : `CASE WHEN c.position IS DISTINCT FROM lag(c.position) OVER (ORDER BY page.row) THEN ${column} END`)).join(', ')}
  FROM (VALUES (true)) AS answer
  LEFT JOIN log ON true
  LEFT JOIN page ON true
  LEFT JOIN ${schema}.names t ON t.number = page.type
  LEFT JOIN LATERAL (
    SELECT * FROM ${schema}.commits c WHERE c.position <= page.position ORDER BY c.position DESC LIMIT 1
  ) c ON true
  LEFT JOIN ${schema}.names n ON n.number = c.name
  ORDER BY page.row`;

/** A page of positions $1 to $2, at most $3 events, of the types $4. */
const logSql = (schema: string, order: 'ASC' | 'DESC', ofTypes: boolean): string => {
  const high = `least($2, coalesce((SELECT log.position FROM log), 0))`;
  const window =
    order === 'ASC'
      ? `$1 AND least(${high}, $1 + ${PAGE_POSITIONS_MAX - 1})`
      : `greatest($1, ${high} - ${PAGE_POSITIONS_MAX - 1}) AND ${high}`;
  const types = `AND e.type = ANY (ARRAY(SELECT n.number FROM ${schema}.names n WHERE n.name = ANY ($4)))`;
  const found = `
    SELECT row_number() OVER (ORDER BY e.position ${order}) AS row, NULL::bigint AS version, e.* FROM (
      SELECT ${eventSql(schema)} FROM ${schema}.events e WHERE e.position BETWEEN ${window} ${ofTypes ? types : ''}
      ORDER BY e.position ${order} LIMIT $3) e`;
  return pageSql(schema, found, '(SELECT count(*) FROM found)');
};

/** A page of the document $1, $2 above the version $3, at most $4 events. With the document's head. */
const documentPageSql = (schema: string): string => {
  const document = documentSql(schema, '$1', '$2');
  const found = `
    SELECT row_number() OVER (ORDER BY a.version) AS row, a.version, ${eventSql(schema)} FROM (
      SELECT a.version, a.position FROM ${schema}.attachments a
      WHERE a.document = ${document} AND a.version > $3
      ORDER BY a.version LIMIT $4) a
    LEFT JOIN LATERAL (SELECT * FROM ${schema}.events e WHERE e.position = a.position LIMIT 1) e ON true`;
  return pageSql(schema, found, headSql(schema, document));
};

const EVENT_GIVES = 'bigint, bigint, text, bigint, bigint, text, text';
const GIVES = `bigint, bigint, text, bigint, json, ${EVENT_GIVES}, ${COMMIT_GIVES}`;
const ofLog = (name: string, order: 'ASC' | 'DESC', ofTypes: boolean): Reading => ({
  name,
  takes: `bigint, bigint, int${ofTypes ? ', text[]' : ''}`,
  gives: GIVES,
  sql: (schema) => logSql(schema, order, ofTypes),
});
const FORWARD = ofLog('read_forward_v1', 'ASC', false);
const BACKWARD = ofLog('read_backward_v1', 'DESC', false);
const FORWARD_OF_TYPES = ofLog('read_forward_of_types_v1', 'ASC', true);
const BACKWARD_OF_TYPES = ofLog('read_backward_of_types_v1', 'DESC', true);
const OF_DOCUMENT: Reading = {
  name: 'read_document_v1',
  takes: 'text, text, bigint, int',
  gives: GIVES,
  sql: documentPageSql,
};
export const READING: readonly Reading[] = [FORWARD, BACKWARD, FORWARD_OF_TYPES, BACKWARD_OF_TYPES, OF_DOCUMENT];

export class Reader {
  read(query: Calls, range: LogRange | DocumentRange): Promise<EventPage> {
    return 'document' in range ? this.#document(query, range) : this.#log(query, range);
  }

  async #log(query: Calls, { after, before, types, reverse = false, limit }: LogRange): Promise<EventPage> {
    const lowest = lowerBound(after) + 1;
    // Exclusive: what is below 7.5 isn't above 7.
    const below = before && Math.ceil(before) - 1;
    const rows = pageRows(limit);
    const bounds = [above(lowest), upTo(below), String(rows)];
    const found = await (types === undefined
      ? query(reverse ? BACKWARD : FORWARD, bounds)
      : query(reverse ? BACKWARD_OF_TYPES : FORWARD_OF_TYPES, [...bounds, texts(types)]));
    const { end, events } = pageOf(found);
    const highest = Math.min(upperBound(below), end.position);
    const low = reverse ? Math.max(lowest, highest - PAGE_POSITIONS_MAX + 1) : lowest;
    const high = reverse ? highest : Math.min(highest, lowest + PAGE_POSITIONS_MAX - 1);
    const step = reverse ? -1 : 1;
    const first = reverse ? high : low;
    const inWindow = Number(found[0]![EXTRA]);
    // If rows or bytes ended the page, the next one begins after the last event. Otherwise all of the window was read.
    const full = inWindow === rows || events.length < inWindow;
    if (types === undefined) {
      // Without a filter every position must be there.
      const gap = events.findIndex(({ position }, index) => position !== first + step * index);
      const missing = gap >= 0 ? gap : !full && events.length < high - low + 1 ? events.length : undefined;
      if (missing !== undefined) throw corrupt('an event is missing', { position: first + step * missing });
    }
    const reached = full ? (events.at(-1)?.position ?? first - step) : reverse ? low : high;
    const more = reverse ? reached > lowest : reached < highest;
    return { end, events, next: more ? reached : undefined };
  }

  async #document(query: Calls, range: DocumentRange): Promise<EventPage> {
    const { collection, id } = range.document;
    const after = lowerBound(range.after);
    const parameters = [collection, id, above(range.after), String(pageRows(range.limit))];
    const found = await query(OF_DOCUMENT, parameters);
    const { end, events } = pageOf(found);
    const head = whole(found[0]![EXTRA], 'a version', { collection, id });
    const gap = found.slice(0, events.length).findIndex((row, index) => Number(row[VERSION]) !== after + index + 1);
    if (gap >= 0) throw corrupt('versions of a document have a gap', { collection, id, version: after + gap + 1 });
    const reached = after + events.length;
    return { end, events, next: reached < head ? reached : undefined };
  }
}

// The places of columns on a page.
const [EXTRA, NAMED, VERSION, POSITION, COMMIT] = [3, 4, 5, 6, 12] as const;

function pageOf(rows: readonly Row[]): { readonly end: LogEnd; readonly events: readonly StoredEvent[] } {
  const first = rows[0]!;
  const end = endOf(first);
  if (first[POSITION] === null && first[VERSION] === null) return { end, events: [] };
  const documents = new Map<number, DocumentRef>();
  const named = JSON.parse(first[NAMED] ?? '[]') as readonly [document: number, collection: string, id: string][];
  for (const [document, collection, id] of named) documents.set(document, { collection, id });
  let commit: StoredCommit | undefined;
  const events = rows.map((row): StoredEvent => {
    const [at, type, schema, time, attachments, json] = row.slice(POSITION, COMMIT);
    const position = count(at, 'the position of an event');
    const where = { position };
    if (row[COMMIT] === null) throw corrupt('an event without a commit', where);
    if (commit === undefined || Number(row[COMMIT]) !== commit.position) commit = storedCommit(row.slice(COMMIT));
    if (position >= commit.position + commit.eventCount) throw corrupt('an event without a commit', where);
    // The chain covers the commit's time; folds use the event's.
    if (whole(time, 'a time', where) !== commit.time) throw corrupt('an event has another time than its commit', where);
    return {
      type: text(type, 'the name of a type', where),
      schemaVersion: schemaVersion(schema, where),
      json: text(json, 'an event', where),
      position,
      attachments: resolved(inlineList(attachments, position), documents, position),
      commit,
    };
  });
  return { end, events };
}

/** The list of an event: document, version, document, version, … */
export function inlineList(value: Value | undefined, position: number): readonly number[] {
  if (value === '') return [];
  const list = (value ?? '?').split(',').map(Number);
  if (list.length % 2 !== 0 || !list.every((number) => Number.isSafeInteger(number) && number > 0)) {
    throw corrupt("an event's list of documents isn't valid", { position });
  }
  return list;
}

function resolved(
  list: readonly number[],
  documents: ReadonlyMap<number, DocumentRef>,
  position: number,
): readonly DocumentVersion[] {
  const versions: DocumentVersion[] = [];
  for (let index = 0; index < list.length; index += 2) {
    const document = documents.get(list[index]!);
    if (document === undefined) throw corrupt(`the document ${list[index]} doesn't exist`, { position });
    versions.push({ ...document, version: list[index + 1]! });
  }
  return versions;
}
