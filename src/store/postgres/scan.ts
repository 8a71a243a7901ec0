/** Pages of the log as a fold needs them: no look at the commits, which would cost as much as all the rest. */
import { lowerBound, pageRows } from '../bounds.ts';
import type { DocumentRef, ScannedEvent, ScanPage, ScanRange } from '../store.ts';
import { PAGE_ATTACHMENTS_MAX, PAGE_BYTES_MAX } from '../store.ts';
import { int8s } from './arrays.ts';
import { above } from './bound.ts';
import { endOf, endSql } from './commits.ts';
import type { Query, Row } from './connection.ts';
import { corrupt } from './errors.ts';
import { callOf } from './functions.ts';
import type { Reading } from './functions.ts';
import { inlineList, LISTED } from './read.ts';
import { schemaVersion, text, whole } from './values.ts';

export type Scan = (query: Query, range: ScanRange) => Promise<ScanPage>;

const PAGE: Reading = {
  name: 'scan_v1',
  takes: 'bigint, int',
  gives: 'bigint, bigint, text, bigint, text, bigint, bigint, text, text',
  sql: (schema) => `
    WITH log AS MATERIALIZED ${endSql(schema)},
    page AS (
      SELECT e.*, row_number() OVER answer AS row, sum(octet_length(e.json)) OVER answer AS bytes,
        sum(${LISTED}) OVER answer AS listed
      FROM (SELECT * FROM ${schema}.events e WHERE e.position > $1 ORDER BY e.position LIMIT $2) e
      WINDOW answer AS (ORDER BY e.position ROWS UNBOUNDED PRECEDING))
    SELECT CASE WHEN coalesce(page.row, 1) = 1 THEN log.position END,
      CASE WHEN coalesce(page.row, 1) = 1 THEN log.recorded_at END,
      CASE WHEN coalesce(page.row, 1) = 1 THEN log.hash END,
      page.position, n.name, page.schema_version, page.time, page.attachments, page.json
    FROM (VALUES (true)) AS answer
    LEFT JOIN log ON true
    LEFT JOIN page ON (page.bytes <= ${PAGE_BYTES_MAX} AND page.listed <= ${2 * PAGE_ATTACHMENTS_MAX}) OR page.row = 1
    LEFT JOIN ${schema}.names n ON n.id = page.type
    ORDER BY page.row`,
};
const NAMES: Reading = {
  name: 'documents_named_v1',
  takes: 'bigint[]',
  gives: 'bigint, text, text',
  sql: (schema) => `
    SELECT d.id, n.name, d.name FROM unnest($1) AS given (id)
    CROSS JOIN LATERAL (SELECT * FROM ${schema}.documents d WHERE d.id = given.id LIMIT 1) d
    JOIN ${schema}.names n ON n.id = d.collection`,
};
export const SCANNING: readonly Reading[] = [PAGE, NAMES];

export function scanner(schema: string): Scan {
  const page = callOf(schema, PAGE);
  const names = callOf(schema, NAMES);

  // A second statement, since only the caller can say which he knows. What a document's number stands for never changes.
  async function namesOf(query: Query, wanted: ReadonlyMap<number, number>): Promise<ScanPage['named']> {
    if (wanted.size === 0) return [];
    const found = await query(names, [int8s([...wanted.keys()])]);
    const named = found.map(([document, collection, id]): DocumentRef & { document: number } => ({
      document: whole(document, 'a document'),
      collection: text(collection, 'a name', {}),
      id: text(id, 'an id', {}),
    }));
    if (named.length === wanted.size) return named;
    const has = new Set(named.map(({ document }) => document));
    const [document, position] = [...wanted].find(([one]) => !has.has(one))!;
    throw corrupt(`the document ${document} doesn't exist`, { position });
  }

  return async (query, { after, limit, known }) => {
    const rows = await query(page, [above(after), String(pageRows(limit))]);
    const end = endOf(rows[0]!);
    const start = lowerBound(after);
    const events = rows[0]![3] === null ? [] : rows.map((row, index) => scanned(row, start + index + 1));
    const unknown = new Map<number, number>();
    for (const { attachments, position } of events) {
      for (let index = 0; index < attachments.length; index += 2) {
        const document = attachments[index]!;
        if (!unknown.has(document) && !known(document)) unknown.set(document, position);
      }
    }
    const reached = start + events.length;
    if (events.length === 0 && reached < end.position && pageRows(limit) > 0) {
      throw corrupt('an event is missing', { position: reached + 1 });
    }
    const named = await namesOf(query, unknown);
    return { end, events, named, next: reached < end.position ? reached : undefined };
  };
}

function scanned([, , , at, type, schema, time, attachments, json]: Row, expected: number): ScannedEvent {
  if (Number(at) !== expected) throw corrupt('an event is missing', { position: expected });
  const where = { position: expected };
  return {
    type: text(type, 'the name of a type', where),
    schemaVersion: schemaVersion(schema, where),
    json: text(json, 'an event', where),
    position: expected,
    time: whole(time, 'a time', where),
    attachments: inlineList(attachments, expected),
  };
}
