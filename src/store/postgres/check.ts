/**
 * Looks for damage that the engine itself can see: the rules in schema.ts. Long on a long log: for tools, not for servers
 * at work. All rules are looked at as of one end of the log, in a transaction that only reads.
 */
import type { Connection, Row } from './connection.ts';
import { Failed, sqlState } from './errors.ts';

/** Most findings of each kind. */
const FINDINGS_MAX = 5;
/** How long one rule may take on a long log, in milliseconds. */
const RULE_MS = 60 * 60_000;

interface Rule {
  /** Gives the rows that break it. `$` stands for the schema. */
  readonly sql: string;
  readonly sentence: (...row: Row) => string;
}

const RULES: readonly Rule[] = [
  {
    sql: `SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
          WHERE c.relnamespace = '$'::regnamespace AND NOT t.tgisinternal`,
    sentence: (table, trigger) => `The trigger ${trigger} changes what is written to the table ${table}.`,
  },
  {
    sql: `SELECT given.name, given.keys FROM (VALUES ('commits', 'command_id,attempt'), ('commits', 'position'),
            ('events', 'position'), ('attachments', 'document,version'), ('documents', 'id'), ('names', 'id'),
            ('documents', 'collection,name'), ('names', 'name'), ('meta', 'name'), ('registry', 'name'), ('types', 'type')
          ) AS given (name, keys)
          WHERE NOT EXISTS (
            SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
            WHERE c.relnamespace = '$'::regnamespace AND c.relname = given.name AND i.indisunique AND i.indisvalid
              AND i.indimmediate AND i.indpred IS NULL AND given.keys = (
                SELECT string_agg(a.attname, ',' ORDER BY k.ordinal)
                FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, ordinal)
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum))`,
    sentence: (table, keys) => `The table ${table} has no unique key (${keys}).`,
  },
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position) OVER (ORDER BY position), 0) + 1 AS expected FROM $.events) e
          WHERE position <> expected`,
    sentence: (position, expected) => `Events are missing from position ${expected} up to ${position}.`,
  },
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position + event_count) OVER (ORDER BY position), 1) AS expected FROM $.commits) c
          WHERE position <> expected`,
    sentence: (position, expected) => `A commit begins at position ${position}, where ${expected} was expected.`,
  },
  {
    sql: 'SELECT position, event_count FROM $.commits WHERE event_count < 1',
    sentence: (position, count) => `The commit at position ${position} says that it has ${count} events.`,
  },
  {
    sql: `SELECT * FROM (SELECT coalesce(max(position), 0) AS events FROM $.events) e,
            (SELECT coalesce(max(position + event_count - 1), 0) AS commits FROM $.commits) c WHERE events <> commits`,
    sentence: (events, commits) => `The events end at position ${events}, the commits at ${commits}.`,
  },
  {
    sql: String.raw`SELECT position FROM $.events WHERE attachments !~ '^([1-9]\d*,[1-9]\d*(,[1-9]\d*,[1-9]\d*)*)?$'`,
    sentence: (position) => `The event at position ${position} has no list of its documents.`,
  },
  {
    sql: String.raw`WITH list AS (
            SELECT position, type, string_to_array(attachments, ',')::numeric[] AS item FROM $.events
            WHERE attachments ~ '^[1-9]\d*,[1-9]\d*(,[1-9]\d*,[1-9]\d*)*$'),
          inline AS (
            SELECT position, type, item[n] AS document, item[n + 1] AS version
            FROM list, generate_series(1, cardinality(item), 2) AS n)
          SELECT i.position, i.document, i.version FROM inline i
          LEFT JOIN $.attachments a ON a.document = i.document AND a.version = i.version
          WHERE a.position IS DISTINCT FROM i.position OR a.type IS DISTINCT FROM i.type`,
    sentence: (position, document, version) =>
      `The event at position ${position} says that it is version ${version} of document ${document}, the index doesn't.`,
  },
  {
    sql: `SELECT * FROM (SELECT count(*) AS rows FROM $.attachments) a,
            (SELECT coalesce(sum(cardinality(string_to_array(attachments, ','))), 0) / 2 AS inline FROM $.events) e
          WHERE rows <> inline`,
    sentence: (rows, inline) => `The index holds ${rows} attachments, the events ${inline}.`,
  },
  {
    sql: `SELECT document, count(*), max(version) FROM $.attachments
          GROUP BY document HAVING count(*) <> max(version) OR min(version) < 1`,
    sentence: (document, count, head) => `Document ${document} has ${count} events and head ${head}.`,
  },
  {
    sql: `SELECT document, version FROM
            (SELECT document, version, position,
              lag(position, 1, 0::bigint) OVER (PARTITION BY document ORDER BY version) AS before FROM $.attachments) a
          WHERE position <= before`,
    sentence: (document, version) => `Version ${version} of document ${document} comes before the version below it.`,
  },
  {
    sql: 'SELECT position, type FROM $.events e WHERE NOT EXISTS (SELECT FROM $.names n WHERE n.id = e.type)',
    sentence: (position, type) => `The event at position ${position} has the type ${type}, which has no name.`,
  },
  {
    sql: 'SELECT position, name FROM $.commits c WHERE NOT EXISTS (SELECT FROM $.names n WHERE n.id = c.name)',
    sentence: (position, name) => `The commit at position ${position} has the command ${name}, which has no name.`,
  },
  {
    sql: `SELECT DISTINCT document FROM $.attachments a
          WHERE NOT EXISTS (SELECT FROM $.documents d WHERE d.id = a.document)`,
    sentence: (document) => `Document ${document} has events but no id.`,
  },
  {
    sql: `SELECT id FROM $.documents d WHERE NOT EXISTS (SELECT FROM $.names n WHERE n.id = d.collection)
            OR NOT EXISTS (SELECT FROM $.attachments a WHERE a.document = d.id)`,
    sentence: (document) => `Document ${document} has no collection or no events.`,
  },
  {
    sql: `SELECT position FROM $.commits WHERE octet_length(hash) <> 32 OR octet_length(fingerprint) <> 32
            OR outcome NOT IN (0, 1) OR attempt NOT IN (0, position) OR (outcome = 0 AND attempt <> 0)
            OR time NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
    sentence: (position) => `The commit at position ${position} has a hash, fingerprint, outcome or time that is none.`,
  },
  {
    sql: `SELECT position FROM
            (SELECT position, recorded_at, lag(recorded_at, 1, 0::bigint) OVER (ORDER BY position) AS before FROM $.commits) c
          WHERE recorded_at < before`,
    sentence: (position) => `The commit at position ${position} was recorded before the one before it.`,
  },
  {
    sql: `SELECT position FROM $.events e WHERE time IS DISTINCT FROM
            (SELECT c.time FROM $.commits c WHERE c.position <= e.position ORDER BY c.position DESC LIMIT 1)`,
    sentence: (position) => `The event at position ${position} has another time than its commit.`,
  },
  {
    sql: "SELECT 1 WHERE (SELECT count(*) FROM $.meta WHERE name = 'generation') <> 1",
    sentence: () => 'The generation of the registry is missing.',
  },
  {
    sql: `SELECT * FROM (
            SELECT coalesce(e.type, t.type) AS type, e.position AS stored, t.position AS listed
            FROM (SELECT type, min(position) AS position FROM $.events GROUP BY type) e
            FULL JOIN $.types t ON t.type = e.type) both_lists
          WHERE stored IS DISTINCT FROM listed`,
    sentence: (type, stored, listed) =>
      `The first event of type ${type} is at position ${stored}, the list of types says ${listed}.`,
  },
  {
    sql: `SELECT t.type, e.position, t.succeeded FROM $.types t
          LEFT JOIN (
            SELECT e.type, min(e.position) AS position FROM $.commits c
            CROSS JOIN LATERAL generate_series(c.position, c.position + c.event_count - 1) AS at (position)
            JOIN $.events e ON e.position = at.position
            WHERE c.outcome = 0 GROUP BY e.type) e ON e.type = t.type
          WHERE e.position IS DISTINCT FROM t.succeeded`,
    sentence: (type, stored, listed) =>
      `The first event of type ${type} in a success is at position ${stored}, the list of types says ${listed}.`,
  },
  {
    // Each rise added at least one collection, or one type to a key map or to what is handled.
    sql: `SELECT value, rows FROM $.meta, (
            SELECT count(*) AS rows, coalesce(sum(1 + json_array_length(handled::json)
              + (SELECT count(*) FROM json_object_keys(key::json -> 'types'))), 0) AS most
            FROM $.registry) r
          WHERE name = 'generation' AND (value NOT BETWEEN 0 AND most OR (value = 0 AND rows > 0))`,
    sentence: (generation, rows) => `The registry is of generation ${generation}, and holds ${rows} collections.`,
  },
];

/** One sentence a finding. `schema` is quoted. */
export async function check(connection: Connection, schema: string): Promise<readonly string[]> {
  const findings: string[] = [];
  await connection.begin('REPEATABLE READ READ ONLY');
  try {
    for (const { sql, sentence } of RULES) {
      const rows = await connection.query(
        `${sql.replaceAll('$.', `${schema}.`).replaceAll("'$'", `'${schema}'`)} LIMIT ${FINDINGS_MAX}`,
        [],
        RULE_MS,
      );
      findings.push(...rows.map((row) => sentence(...row)));
    }
  } catch (error) {
    // Damage that stops a query is a finding too.
    if (!(error instanceof Failed) || sqlState(error) === undefined || !(await connection.rollback())) throw error;
    findings.push(
      `PostgreSQL could not go on: ${Error.isError(error.error) ? error.error.message : String(error.error)}.`,
    );
    return findings;
  }
  await connection.commit();
  return findings;
}
