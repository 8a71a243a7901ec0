/**
 * Removes what the registry doesn't need any more: `sweep_v1`, a bounded number of rows a call. Nothing reads these rows, so it
 * needs no write lock: no append waits for it. Two sweeps at once go in the same order, and on other keyings.
 *
 * A retired keying remembers up to which id its documents are swept. Their attachments go from the last version down: what is left
 * of a document has versions without a gap. Lists of events still name these documents, so their rows stay.
 */
import { call, type Calls } from '../functions.ts';
import { besideFunctionSql } from '../writing/lock.ts';

/** Most rows that one call removes or looks at: some tens of milliseconds. */
const ROWS = 2_000;

const DECLARES = `
  retired text;
  after_id text;
  swept bigint[];
  left_over bigint[];
  reached text;
  unneeded bigint;
  gone bigint;
  room bigint := rows;`;

/** Attachments of retired keyings. */
const attachmentsSql = (schema: string): string => `
  LOOP
    EXIT WHEN room <= 0;
    SELECT k.name, k.unswept INTO retired, after_id FROM ${schema}.keyings k
      WHERE k.unswept IS NOT NULL ORDER BY k.name LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    EXIT WHEN NOT FOUND;
    SELECT array_agg(taken.number), array_agg(taken.low), max(taken.id) FILTER (WHERE taken.low = 0), sum(taken.head - taken.low + 1)
      INTO swept, left_over, reached, gone
      FROM (
        SELECT each.*, greatest(0, each.head - (room - each.before)) AS low FROM (
          SELECT d.*, sum(d.head + 1) OVER (ORDER BY d.id) - (d.head + 1) AS before FROM (
            SELECT d.number, d.id, coalesce((SELECT a.version FROM ${schema}.attachments a
                WHERE a.document = d.number ORDER BY a.version DESC LIMIT 1), 0) AS head
              FROM ${schema}.documents d
              WHERE d.collection = (SELECT n.number FROM ${schema}.names n WHERE n.name = retired) AND d.id > after_id
              ORDER BY d.id LIMIT room) d) each
        WHERE each.before < room) taken;
    IF swept IS NULL THEN
      UPDATE ${schema}.keyings k SET unswept = NULL WHERE k.name = retired;
    ELSE
      WITH removed AS (
        DELETE FROM ${schema}.attachments a USING unnest(swept, left_over) AS given (document, low)
          WHERE a.document = given.document AND a.version > given.low RETURNING a.position, a.document)
      DELETE FROM ${schema}.later l USING removed WHERE l.position = removed.position AND l.document = removed.document;
      UPDATE ${schema}.keyings k SET unswept = coalesce(reached, after_id) WHERE k.name = retired;
      room := room - gone;
    END IF;
  END LOOP;`;

/** Rows of a table that belong to a number which isn't needed: there are few numbers, so they are looked up one after the other. */
const rowsSql = (schema: string, table: string, column: string, order: string, needed: string): string => `
  LOOP
    EXIT WHEN room <= 0;
    unneeded := (
      WITH RECURSIVE held (number) AS (
        (SELECT t.${column} FROM ${schema}.${table} t ORDER BY t.${column} LIMIT 1)
        UNION ALL
        SELECT (SELECT t.${column} FROM ${schema}.${table} t WHERE t.${column} > held.number ORDER BY t.${column} LIMIT 1)
          FROM held WHERE held.number IS NOT NULL)
      SELECT held.number FROM held WHERE held.number IS NOT NULL AND NOT EXISTS (${needed}) LIMIT 1);
    EXIT WHEN unneeded IS NULL;
    DELETE FROM ${schema}.${table} t WHERE t.ctid = ANY (ARRAY(
      SELECT t.ctid FROM ${schema}.${table} t WHERE t.${column} = unneeded ORDER BY t.${order} LIMIT room));
    GET DIAGNOSTICS gone = ROW_COUNT;
    room := room - greatest(gone, 1);
  END LOOP;`;

export const sweepV1 = (schema: string): string =>
  besideFunctionSql(schema, 'sweep_v1(lock_timeout text, rows bigint, log uuid, OUT more boolean)', {
    declares: DECLARES,
    does: `${attachmentsSql(schema)}
${rowsSql(schema, 'stored', 'document_set', 'id', `SELECT FROM ${schema}.sets s WHERE s.number = held.number`)}
${rowsSql(
  schema,
  'entries',
  'index_number',
  'key',
  `SELECT FROM ${schema}.indexes i JOIN ${schema}.sets s ON s.number = i.document_set WHERE i.number = held.number`,
)}
  more := room <= 0;
`,
  });

/** Whether more may be left. `schema` is quoted. */
export async function sweep(query: Calls, schema: string, lockTimeoutMs: number): Promise<boolean> {
  const [row] = await query(call(schema, 'sweep_v1', 2, 'more'), [String(lockTimeoutMs), String(ROWS)]);
  return row?.[0] === 't';
}
