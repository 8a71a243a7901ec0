/**
 * Heads and events of documents, all as of one point of the log. One statement, in a function that keeps its plan: to plan
 * it takes four times as long as to run it for one document.
 */
import type { DocumentEvent, Loaded, LoadOptions, LoadRequest } from '../../store.ts';
import { LOAD_EVENTS_MAX, PAGE_BYTES_MAX } from '../../store.ts';
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { int8s, texts } from '../arrays.ts';
import { endOf, endSql, holdsPoint, holdsSql, pointParameters } from './commits.ts';
import type { Row, Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { bounded, count, numbers, schemaVersion, text, upTo, whole } from '../values.ts';

/** The number of a document, by its collection's name and its id. One seek each: LIMIT keeps the planner from a join. */
export const documentSql = (schema: string, collection: string, id: string): string =>
  `(SELECT d.number FROM ${schema}.documents d
    WHERE d.collection = (SELECT n.number FROM ${schema}.names n WHERE n.name = ${collection}) AND d.id = ${id} LIMIT 1)`;

/** The head of a document: its last row. */
export const headSql = (schema: string, document: string): string =>
  `coalesce((SELECT a.version FROM ${schema}.attachments a WHERE a.document = ${document}
    ORDER BY a.version DESC LIMIT 1), 0)`;

/** The head as it was at a position, found by halving: positions rise with versions. Null if versions have a gap. */
const headAsOfSql = (schema: string, document: string, position: string): string => `(
  WITH RECURSIVE halving (low, high) AS (
    SELECT 0::bigint, ${headSql(schema, document)}
    UNION ALL
    SELECT CASE WHEN at.position <= ${position} THEN at.version ELSE h.low END,
        CASE WHEN at.position <= ${position} THEN h.high ELSE at.version - 1 END
      FROM halving h
      CROSS JOIN LATERAL (
        SELECT a.version, a.position FROM ${schema}.attachments a
        WHERE a.document = ${document} AND a.version = (h.low + h.high + 1) / 2 LIMIT 1
      ) at
      WHERE h.low < h.high)
  SELECT low FROM halving WHERE low = high)`;

/**
 * How much of an answer's room an event takes: its text, the first time that it is in the answer. A longer text than all the
 * room takes just all of it, so that it fits if it comes first, and nothing fits after it.
 */
export const roomSql = (first: string, json: string): string =>
  `CASE WHEN ${first} THEN least(greatest(octet_length(${json}), 1), ${PAGE_BYTES_MAX}) ELSE 0 END`;

/**
 * Versions have no gaps, so the heads alone say how many events each request has, and where the room for them ends: only
 * rows of the answer are read, and events that are too long. An event's text is sent once, with the first document that has
 * it.
 */
const loadSql = (schema: string, head: string): string => `
  WITH log AS MATERIALIZED ${endSql(schema)},
  request AS MATERIALIZED (
    SELECT given.ordinal, given.after, known.number AS document, at.head,
      greatest(0, least(at.head, given.up_to) - given.after) AS wanted
    FROM unnest($1, $2, $3, $4)
      WITH ORDINALITY AS given (collection, id, after, up_to, ordinal)
    CROSS JOIN LATERAL (SELECT ${documentSql(schema, 'given.collection', 'given.id')} AS number OFFSET 0) known
    CROSS JOIN LATERAL (SELECT ${head} AS head OFFSET 0) at),
  room AS (
    SELECT request.*, ${LOAD_EVENTS_MAX} - (sum(wanted) OVER (ORDER BY ordinal) - wanted) AS rows FROM request),
  attached AS (
    SELECT room.ordinal, a.version, a.position,
      row_number() OVER (PARTITION BY a.position ORDER BY room.ordinal) = 1 AS first
    FROM room
    CROSS JOIN LATERAL (
      SELECT a.version, a.position FROM ${schema}.attachments a
      WHERE a.document = room.document AND a.version > room.after
        AND a.version <= room.after + least(room.wanted, room.rows)
      ORDER BY a.version LIMIT ${LOAD_EVENTS_MAX}
    ) a
    WHERE room.wanted > 0 AND room.rows > 0),
  event AS (
    SELECT attached.*, e.type, e.schema_version, e.time, CASE WHEN attached.first THEN e.json END AS json,
      row_number() OVER answer AS row, sum(${roomSql('attached.first', 'e.json')}) OVER answer AS bytes
    FROM attached
    LEFT JOIN LATERAL (SELECT * FROM ${schema}.events e WHERE e.position = attached.position LIMIT 1) e ON true
    WINDOW answer AS (ORDER BY attached.ordinal, attached.version ROWS UNBOUNDED PRECEDING))
  SELECT log.position, log.recorded_at, log.hash,
    CASE WHEN coalesce(event.row, 1) = 1 THEN (SELECT array_agg(head ORDER BY ordinal) FROM request) END,
    CASE WHEN coalesce(event.row, 1) = 1 THEN (SELECT array_agg(document ORDER BY ordinal) FROM request) END,
    CASE WHEN coalesce(event.row, 1) = 1 AND $5 IS NOT NULL THEN ${holdsSql(schema, '$5', '$6')} END,
    event.ordinal, event.version, event.position, n.name, event.schema_version, event.time, event.json
  FROM (VALUES (true)) AS answer
  LEFT JOIN log ON true
  LEFT JOIN event ON event.bytes <= ${PAGE_BYTES_MAX}
  LEFT JOIN ${schema}.names n ON n.number = event.type
  ORDER BY event.row`;

const GIVES = 'bigint, bigint, text, bigint[], bigint[], boolean, bigint, bigint, bigint, text, bigint, bigint, text';
const TAKES = 'text[], text[], bigint[], bigint[], bigint, bytea';

const END: Reading = {
  name: 'end_v1',
  takes: 'bigint, bytea',
  gives: 'bigint, bigint, text, boolean',
  sql: (schema) => `
    SELECT log.position, log.recorded_at, log.hash, CASE WHEN $1 IS NOT NULL THEN ${holdsSql(schema, '$1', '$2')} END
    FROM (VALUES (true)) AS answer LEFT JOIN ${endSql(schema)} log ON true`,
};
const LOAD: Reading = {
  name: 'load_v1',
  takes: TAKES,
  gives: GIVES,
  sql: (schema) => loadSql(schema, headSql(schema, 'known.number')),
};
const LOAD_AS_OF: Reading = {
  name: 'load_as_of_v1',
  takes: `${TAKES}, bigint`,
  gives: GIVES,
  sql: (schema) => loadSql(schema, headAsOfSql(schema, 'known.number', '$7')),
};
export const LOADING: readonly Reading[] = [END, LOAD, LOAD_AS_OF];

/**
 * Reads version, position, type, schema version, time and text of an event. The text may be missing if the answer has given
 * it before, for another document: `texts` holds these by position.
 */
export function documentEvent(
  row: readonly (Value | undefined)[],
  expected: number,
  texts: Map<number, string>,
): DocumentEvent {
  const [version, at, type, schema, time, sent] = row;
  if (Number(version) !== expected) throw corrupt('versions of a document have a gap', { version: expected });
  const position = count(at, 'a position', { version: expected });
  const where = { position };
  const json = text(sent ?? texts.get(position), 'an event', where);
  texts.set(position, json);
  return {
    type: text(type, 'the event or the name of its type', where),
    schemaVersion: schemaVersion(schema, where),
    json,
    version: expected,
    position,
    time: whole(time, 'a time', where),
  };
}

export class Loader {
  async load(query: Calls, requests: readonly LoadRequest[], { asOf, seen }: LoadOptions = {}): Promise<Loaded> {
    const point = pointParameters(seen);
    if (requests.length === 0) {
      const [row] = await query(END, point);
      const [, , , holds] = row!;
      return { end: endOf(row!), holds: holdsPoint(seen, holds), documents: [] };
    }
    const parameters = [
      texts(requests.map(({ collection }) => collection)),
      texts(requests.map(({ id }) => id)),
      int8s(requests.map(({ after }) => bounded(lowerBound(after)))),
      int8s(requests.map((request) => bounded(upperBound(request.upTo)))),
      ...point,
    ];
    const rows = await (asOf === undefined ? query(LOAD, parameters) : query(LOAD_AS_OF, [...parameters, upTo(asOf)]));
    const [, , , heads, found, holds] = rows[0]!;
    const events = eventsOf(rows, requests);
    const numbered = numbers(found);
    const documents = wholeHeads(heads, requests).map((head, index) => ({
      document: head > 0 ? numbered[index]! : undefined,
      head,
      events: events[index]!,
    }));
    return { end: endOf(rows[0]!), holds: holdsPoint(seen, holds), documents };
  }
}

/** The events of each request. */
function eventsOf(rows: readonly Row[], requests: readonly LoadRequest[]): readonly (readonly DocumentEvent[])[] {
  const events = requests.map((): DocumentEvent[] => []);
  const texts = new Map<number, string>();
  for (const [, , , , , , ordinal, ...event] of rows) {
    if (ordinal === null || ordinal === undefined) continue;
    const index = Number(ordinal) - 1;
    const expected = lowerBound(requests[index]!.after) + events[index]!.length + 1;
    events[index]!.push(documentEvent(event, expected, texts));
  }
  return events;
}

function wholeHeads(value: Value | undefined, requests: readonly LoadRequest[]): readonly number[] {
  const heads = numbers(value);
  const gap = heads.findIndex((head) => !Number.isSafeInteger(head) || head < 0);
  if (gap < 0 && heads.length === requests.length) return heads;
  const { collection, id } = requests[Math.max(0, gap)]!;
  throw corrupt('versions of a document have a gap', { collection, id });
}
