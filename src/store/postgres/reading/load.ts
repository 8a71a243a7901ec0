/**
 * Heads and events of documents, all as of one point of the log. One statement, in a function that keeps its plan: to plan
 * it takes four times as long as to run it for one document.
 */
import type { DocumentEvent, Loaded, LoadedDocument, LoadOptions, LoadRequest, StoredDocument } from '../../store.ts';
import { LOAD_EVENTS_MAX, PAGE_BYTES_MAX } from '../../store.ts';
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { int8s, texts } from '../arrays.ts';
import { endOf, endSql, holdsPoint, holdsSql, pointParameters } from './commits.ts';
import type { Row, Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { roomSql } from './room.ts';
import { storedDocument } from './stored.ts';
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

/** The registry's generation. */
const generationSql = (schema: string): string => `(SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation')`;

/** The document of a request as it is stored, if that is later than what the caller has, and not too late. */
const storedSql = (schema: string): string => `
      SELECT s.version, s.changed, s.state, s.failed FROM ${schema}.stored s
      WHERE s.document_set = given.document_set AND s.id = convert_to(given.id, 'UTF8')
        AND s.version > given.after AND s.version <= least(at.head, given.up_to)
        AND EXISTS (SELECT FROM ${schema}.sets t WHERE t.number = given.document_set) LIMIT 1`;

/**
 * Versions have no gaps, so the heads alone say how many events each request has, and where the room for them ends: only
 * rows of the answer are read, and events that are too long. An event's text is sent once, with the first document that has
 * it. A stored document comes before its events, and takes room as an event does.
 */
const loadSql = (schema: string, head: string): string => `
  WITH log AS MATERIALIZED ${endSql(schema)},
  request AS MATERIALIZED (
    SELECT given.ordinal, coalesce(stored.version, given.after) AS after, known.number AS document, at.head,
      greatest(0, least(at.head, given.up_to) - coalesce(stored.version, given.after)) AS wanted,
      CASE WHEN stored.version IS NULL THEN 0 ELSE 1 END AS kept, stored.changed, stored.state, stored.failed
    FROM unnest($1, $2, $3, $4, $5)
      WITH ORDINALITY AS given (collection, id, after, up_to, document_set, ordinal)
    CROSS JOIN LATERAL (SELECT ${documentSql(schema, 'given.collection', 'given.id')} AS number OFFSET 0) known
    CROSS JOIN LATERAL (SELECT ${head} AS head OFFSET 0) at
    LEFT JOIN LATERAL (${storedSql(schema)}
    ) stored ON true),
  room AS (
    SELECT request.*, ${LOAD_EVENTS_MAX} - (sum(wanted + kept) OVER (ORDER BY ordinal) - wanted) AS rows FROM request),
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
  item AS (
    SELECT attached.*, NULL::bigint AS changed, NULL AS state, NULL AS failed FROM attached
    UNION ALL
    SELECT room.ordinal, room.after, NULL, true, room.changed, room.state, room.failed
      FROM room WHERE room.kept = 1 AND room.rows >= 0),
  event AS (
    SELECT item.*, e.type, e.schema_version, e.time, CASE WHEN item.first THEN coalesce(item.state, e.json) END AS json,
      row_number() OVER answer AS row, sum(${roomSql('item.first', 'coalesce(item.state, e.json)')}) OVER answer AS bytes
    FROM item
    LEFT JOIN LATERAL (SELECT * FROM ${schema}.events e WHERE e.position = item.position LIMIT 1) e ON true
    WINDOW answer AS (ORDER BY item.ordinal, item.version ROWS UNBOUNDED PRECEDING))
  SELECT log.position, log.recorded_at, log.hash,
    CASE WHEN coalesce(event.row, 1) = 1 THEN ${generationSql(schema)} END,
    CASE WHEN coalesce(event.row, 1) = 1 THEN (SELECT array_agg(head ORDER BY ordinal) FROM request) END,
    CASE WHEN coalesce(event.row, 1) = 1 THEN (SELECT array_agg(document ORDER BY ordinal) FROM request) END,
    CASE WHEN coalesce(event.row, 1) = 1 AND $6 IS NOT NULL THEN ${holdsSql(schema, '$6', '$7')} END,
    event.ordinal, event.changed, event.failed, event.version, event.position, n.name, event.schema_version, event.time,
    event.json
  FROM (VALUES (true)) AS answer
  LEFT JOIN log ON true
  LEFT JOIN event ON event.bytes <= ${PAGE_BYTES_MAX}
  LEFT JOIN ${schema}.names n ON n.number = event.type
  ORDER BY event.row`;

const EVENT_GIVES = 'bigint, bigint, text, bigint, bigint, text, bigint, bigint, text';
const GIVES = `bigint, bigint, text, bigint, bigint[], bigint[], boolean, ${EVENT_GIVES}`;
const TAKES = 'text[], text[], bigint[], bigint[], bigint[], bigint, bytea';

const END: Reading = {
  name: 'end_v1',
  takes: 'bigint, bytea',
  gives: 'bigint, bigint, text, bigint, boolean',
  sql: (schema) => `
    SELECT log.position, log.recorded_at, log.hash, ${generationSql(schema)}, CASE WHEN $1 IS NOT NULL THEN ${holdsSql(schema, '$1', '$2')} END
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
  sql: (schema) => loadSql(schema, headAsOfSql(schema, 'known.number', '$8')),
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

type DocumentContent = Pick<LoadedDocument, 'stored' | 'events'>;

export class Loader {
  async load(query: Calls, requests: readonly LoadRequest[], { asOf, seen }: LoadOptions = {}): Promise<Loaded> {
    const point = pointParameters(seen);
    if (requests.length === 0) {
      const [row] = await query(END, point);
      const [, , , generation, holds] = row!;
      return { ...answerOf(row!, generation), holds: holdsPoint(seen, holds), documents: [] };
    }
    const parameters = [
      texts(requests.map(({ collection }) => collection)),
      texts(requests.map(({ id }) => id)),
      int8s(requests.map(({ after }) => bounded(lowerBound(after)))),
      int8s(requests.map((request) => bounded(upperBound(request.upTo)))),
      int8s(requests.map(({ set }) => set && bounded(set))),
      ...point,
    ];
    const rows = await (asOf === undefined ? query(LOAD, parameters) : query(LOAD_AS_OF, [...parameters, upTo(asOf)]));
    const [, , , generation, heads, found, holds] = rows[0]!;
    const contents = contentsOf(rows, requests);
    const numbered = numbers(found);
    const documents = wholeHeads(heads, requests).map((head, index): LoadedDocument => {
      const document = head > 0 ? numbered[index]! : undefined;
      const { stored, events } = contents[index]!;
      return stored ? { document, head, stored, events } : { document, head, events };
    });
    return { ...answerOf(rows[0]!, generation), holds: holdsPoint(seen, holds), documents };
  }
}

function answerOf(row: Row, generation: Value | undefined): Pick<Loaded, 'end' | 'generation'> {
  return { end: endOf(row), generation: whole(generation, 'the generation of the registry') };
}

/** What was stored of each request, and its events. */
function contentsOf(rows: readonly Row[], requests: readonly LoadRequest[]): readonly DocumentContent[] {
  const contents = requests.map((): { stored?: StoredDocument; events: DocumentEvent[] } => ({ events: [] }));
  const texts = new Map<number, string>();
  for (const [, , , , , , , ordinal, changed, failed, ...event] of rows) {
    if (ordinal === null || ordinal === undefined) continue;
    const index = Number(ordinal) - 1;
    const { collection, id, after } = requests[index]!;
    const content = contents[index]!;
    if (changed === null) {
      const from = content.stored?.version ?? lowerBound(after);
      content.events.push(documentEvent(event, from + content.events.length + 1, texts));
    } else content.stored = storedDocument([id, event[0], changed, failed, event.at(-1)], { collection });
  }
  return contents;
}

function wholeHeads(value: Value | undefined, requests: readonly LoadRequest[]): readonly number[] {
  const heads = numbers(value);
  const gap = heads.findIndex((head) => !Number.isSafeInteger(head) || head < 0);
  if (gap < 0 && heads.length === requests.length) return heads;
  const { collection, id } = requests[Math.max(0, gap)]!;
  throw corrupt('versions of a document have a gap', { collection, id });
}
