/** Pages of the log as a fold needs them: without the commits, which would cost as much as all the rest. */
import { lowerBound, pageRows } from '../../page-bounds.ts';
import type { DocumentRef, ScannedEvent, ScanPage, ScanRange } from '../../store.ts';
import { PAGE_ATTACHMENTS_MAX, PAGE_BYTES_MAX } from '../../store.ts';
import { int8s } from '../arrays.ts';
import { endOf, endSql, holdsPoint, holdsSql, pointParameters } from './commits.ts';
import type { Row } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { laterCountSql, wholeListSql } from './later.ts';
import { LISTED } from './read.ts';
import { above, numbers, schemaVersion, text, whole } from '../values.ts';

/**
 * A page is one row, with an array or a joined text for each column: to send and read a row for each event costs several
 * times what it costs to find it. On a small page nothing is added up event by event, and only in pages with attachments that
 * came later are lists merged.
 */
const PAGE: Reading = {
  name: 'scan_v1',
  takes: 'bigint, int, bigint, bytea',
  gives: 'bigint, bigint, text, boolean, bigint[], json, int[], bigint[], bigint[], text, int[], text',
  sql: (schema) => {
    const events = (columns: string, most: string): string =>
      `(SELECT ${columns} FROM ${schema}.events e WHERE e.position > $1 ORDER BY e.position LIMIT ${most})`;
    const sizes = 'e.position, octet_length(e.json) AS bytes, e.attachments';
    const range = `FROM ${schema}.later l WHERE l.position > $1 AND l.position <= $1 + $2`;
    const anyLater = `(SELECT true ${range} LIMIT 1)`;
    const listed = `${LISTED} + 2 * ${laterCountSql(schema, 'each.position', anyLater)}`;
    return `
    SELECT log.position, log.recorded_at, log.hash,
      CASE WHEN $3 IS NOT NULL THEN ${holdsSql(schema, '$3', '$4')} END,
      CASE WHEN answer.reached = $1 + answer.events THEN '{}' ELSE answer.positions END,
      (SELECT json_object_agg(n.number, n.name) FROM ${schema}.names n WHERE n.number = ANY (answer.types)),
      answer.types, answer.schema_versions, answer.times, answer.attachments, answer.bytes, answer.json
    FROM (
      SELECT count(*) AS events, max(one.position) AS reached, array_agg(one.position) AS positions,
        array_agg(one.type) AS types, array_agg(one.schema_version) AS schema_versions, array_agg(one.time) AS times,
        string_agg(${wholeListSql(schema, 'one', anyLater)}, ';') AS attachments, array_agg(octet_length(one.json)) AS bytes,
        string_agg(one.json, '') AS json
      FROM ${events(
        '*',
        `(
        SELECT CASE
          WHEN sum(page.bytes) <= ${PAGE_BYTES_MAX}
            AND sum(octet_length(page.attachments) + 1) + 4 * (SELECT count(*) ${range}) <= ${2 * 2 * PAGE_ATTACHMENTS_MAX}
            THEN $2
          ELSE (
            SELECT least($2, greatest(1, count(*))) FROM (
              SELECT sum(each.bytes) OVER answer AS bytes, sum(${listed}) OVER answer AS listed
              FROM ${events(sizes, '$2')} each
              WINDOW answer AS (ORDER BY each.position ROWS UNBOUNDED PRECEDING)) measured
            WHERE measured.bytes <= ${PAGE_BYTES_MAX} AND measured.listed <= ${2 * PAGE_ATTACHMENTS_MAX}) END
        FROM ${events(sizes, '$2')} page)`,
      )} one) answer
    LEFT JOIN ${endSql(schema)} log ON true`;
  },
};
const NAMES: Reading = {
  name: 'documents_named_v1',
  takes: 'bigint[]',
  gives: 'bigint, text, text',
  sql: (schema) => `
    SELECT d.number, n.name, d.id FROM unnest($1) AS given (number)
    CROSS JOIN LATERAL (SELECT * FROM ${schema}.documents d WHERE d.number = given.number LIMIT 1) d
    JOIN ${schema}.names n ON n.number = d.collection`,
};
export const SCANNING: readonly Reading[] = [PAGE, NAMES];

export class Scanner {
  async scan(query: Calls, { after, limit, known, seen }: ScanRange): Promise<ScanPage> {
    const [row] = await query(PAGE, [above(after), String(pageRows(limit)), ...pointParameters(seen)]);
    const end = endOf(row!);
    const start = lowerBound(after);
    const events = eventsOf(row!, start);
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
    const named = await this.#namesOf(query, unknown);
    const next = reached < end.position ? reached : undefined;
    const [, , , holds] = row!;
    return { end, holds: holdsPoint(seen, holds), events, named, next };
  }

  /** A second statement, as only the caller knows which names it has. A document's number never changes its meaning. */
  async #namesOf(query: Calls, wanted: ReadonlyMap<number, number>): Promise<ScanPage['named']> {
    if (wanted.size === 0) return [];
    const found = await query(NAMES, [int8s([...wanted.keys()])]);
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
}

/** The events of a page after a position. */
function eventsOf(row: Row, after: number): ScannedEvent[] {
  const [positions, names, types, schemaVersions, times, attachments, bytes, json] = row.slice(4);
  const gap = numbers(positions).findIndex((position, index) => position !== after + index + 1);
  if (gap >= 0) throw corrupt('an event is missing', { position: after + gap + 1 });
  const known = JSON.parse(names ?? '{}') as Readonly<Record<string, string>>;
  const [versions, decided] = [numbers(schemaVersions), numbers(times)];
  const ofEach = numbers(types);
  const lists = ofEach.length === 0 ? [] : listsOf(attachments ?? '', after);
  const texts = textsOf(json ?? '', numbers(bytes), after);
  if (lists.length !== ofEach.length) throw corrupt("an event's list of documents isn't valid", { after });
  return ofEach.map((type, index) => {
    const where = { position: after + index + 1 };
    return {
      type: text(known[type], 'the name of a type', where),
      schemaVersion: schemaVersion(versions[index], where),
      json: text(texts[index], 'an event', where),
      position: where.position,
      time: whole(decided[index], 'a time', where),
      attachments: lists[index]!,
    };
  });
}

/** Takes joined texts apart, by the number of bytes that each has in UTF-8. */
function textsOf(all: string, bytes: readonly number[], after: number): readonly string[] {
  const isShort = all.length === bytes.reduce((sum, count) => sum + count, 0);
  let at = 0;
  const texts = bytes.map((count, index) => {
    const from = at;
    let left = count;
    if (isShort) at += count;
    else for (; left > 0; at += 1) left -= bytesAt(all, at);
    if (left < 0) throw corrupt('the text of an event is no UTF-8', { position: after + index + 1 });
    return all.slice(from, at);
  });
  if (at !== all.length) throw corrupt('the text of an event is no UTF-8', { after });
  return texts;
}

/** The bytes of a code unit. A surrogate pair has four, so each half counts two. */
function bytesAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return 1;
  if (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000)) return 2;
  return 3;
}

// The codes of , ; 0 and 9.
const [COMMA, SEMICOLON, ZERO, NINE] = [44, 59, 48, 57] as const;

/** The lists of events, `12,1,7,3;12,2`: read in one go, as splitting costs several times as much. */
function listsOf(all: string, after: number): readonly (readonly number[])[] {
  const lists: number[][] = [];
  let [list, number, digits]: [number[], number, number] = [[], 0, 0];
  for (let at = 0; at <= all.length; at += 1) {
    const code = at < all.length ? all.charCodeAt(at) : SEMICOLON;
    if (code >= ZERO && code <= NINE) {
      number = number * 10 + code - ZERO;
      digits += 1;
      continue;
    }
    const isEnd = code === SEMICOLON;
    if (digits > 0) list.push(number);
    const isEmpty = isEnd && digits === 0 && list.length === 0;
    const isRight = isEmpty || (digits > 0 && number > 0 && number <= Number.MAX_SAFE_INTEGER);
    if (!isRight || !(isEnd || code === COMMA) || (isEnd && list.length % 2 !== 0)) {
      throw corrupt("an event's list of documents isn't valid", { position: after + lists.length + 1 });
    }
    if (isEnd) {
      lists.push(list);
      list = [];
    }
    [number, digits] = [0, 0];
  }
  return lists;
}
