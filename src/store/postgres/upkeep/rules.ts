/** What `check` looks for: each rule of schema.ts as a query for the rows that break it. */
import { FINDING } from '../../findings.ts';

export interface Rule {
  /** Gives the rows that break it. `$` stands for the schema. */
  readonly sql: string;
  readonly sentence: (...row: readonly unknown[]) => string;
}

export const OF_THE_WHOLE: readonly Rule[] = [
  {
    sql: `SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
          WHERE c.relnamespace = '$'::regnamespace AND NOT t.tgisinternal`,
    sentence: FINDING.trigger,
  },
  {
    sql: `SELECT given.name, given.keys FROM (VALUES ('commits', 'command_id,attempt'), ('commits', 'position'),
            ('events', 'position'), ('attachments', 'document,version'), ('documents', 'number'), ('names', 'number'),
            ('documents', 'collection,id'), ('names', 'name'), ('meta', 'name'), ('registry', 'name'), ('types', 'type')
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
    sql: `SELECT * FROM (SELECT coalesce(max(position), 0) AS events FROM $.events) e, (SELECT coalesce((
            SELECT position + event_count - 1 FROM $.commits ORDER BY position DESC LIMIT 1), 0) AS commits) c
          WHERE events <> commits`,
    sentence: FINDING.otherEnds,
  },
  {
    sql: `SELECT * FROM (
            SELECT coalesce(e.type, t.type) AS type, e.position AS stored, t.position AS listed
            FROM (SELECT type, min(position) AS position FROM $.events GROUP BY type) e
            FULL JOIN $.types t ON t.type = e.type) both_lists
          WHERE stored IS DISTINCT FROM listed`,
    sentence: FINDING.otherFirstEvent,
  },
  {
    sql: `SELECT t.type, e.position, t.succeeded FROM $.types t
          LEFT JOIN (
            SELECT e.type, min(e.position) AS position FROM $.commits c
            CROSS JOIN LATERAL generate_series(c.position, c.position + c.event_count - 1) AS at (position)
            JOIN $.events e ON e.position = at.position
            WHERE c.outcome = 0 GROUP BY e.type) e ON e.type = t.type
          WHERE e.position IS DISTINCT FROM t.succeeded`,
    sentence: FINDING.otherFirstSuccess,
  },
];

/** The registry as it is stored, for {@link registryFindings}. */
export const REGISTRY_ROWS = `SELECT (SELECT string_agg(m.value::text, ',') FROM $.meta m WHERE m.name = 'generation'),
    r.name, r.key, r.handled
  FROM (VALUES (true)) AS answer LEFT JOIN $.registry r ON true ORDER BY r.name`;

/** Rows in a piece of the log: positions above $1, up to $2. */
export const PIECE = 'position > $1::bigint AND position <= $2::bigint';
/** A column of the last commit before a piece. */
const beforePiece = (column: string): string =>
  `(SELECT ${column} FROM $.commits WHERE position <= $1::bigint ORDER BY position DESC LIMIT 1)`;
const LIST = '^([1-9][0-9]*,[1-9][0-9]*(,[1-9][0-9]*,[1-9][0-9]*)*)?$';

export const OF_THE_LOG: readonly Rule[] = [
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position) OVER (ORDER BY position), greatest($1::bigint, 0)) + 1 AS expected
             FROM $.events WHERE ${PIECE}) e
          WHERE position <> expected`,
    sentence: FINDING.eventsMissing,
  },
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position + event_count) OVER (ORDER BY position),
               ${beforePiece('position + event_count')}, 1) AS expected
             FROM $.commits WHERE ${PIECE}) c
          WHERE position <> expected`,
    sentence: FINDING.commitElsewhere,
  },
  {
    sql: `SELECT position, event_count FROM $.commits WHERE event_count < 1 AND ${PIECE}`,
    sentence: FINDING.commitWithoutEvents,
  },
  {
    sql: `SELECT position FROM $.events WHERE attachments !~ '${LIST}' AND ${PIECE}`,
    sentence: FINDING.eventWithoutList,
  },
  {
    // A list is taken apart once: to look up its items one by one would cost the square of its length.
    sql: `WITH listed AS (
            SELECT e.position, e.type, pair[1] AS document, pair[2] AS version FROM $.events e
            CROSS JOIN LATERAL regexp_matches(e.attachments, '([0-9]+),([0-9]+)', 'g') AS item (pair)
            WHERE e.attachments ~ '${LIST}' AND ${PIECE})
          SELECT l.position, l.document, l.version FROM listed l
          LEFT JOIN LATERAL (
            SELECT a.position, a.type FROM $.attachments a
            WHERE a.document = CASE WHEN length(l.document) < 19 THEN l.document::bigint END
              AND a.version = CASE WHEN length(l.version) < 19 THEN l.version::bigint END
            LIMIT 1
          ) a ON true
          WHERE a.position IS DISTINCT FROM l.position OR a.type IS DISTINCT FROM l.type`,
    sentence: FINDING.notInIndex,
  },
  {
    sql: `SELECT position, type FROM $.events e WHERE ${PIECE} AND NOT EXISTS (SELECT FROM $.names n WHERE n.number = e.type)`,
    sentence: FINDING.typeWithoutName,
  },
  {
    sql: `SELECT position, name FROM $.commits c WHERE ${PIECE} AND NOT EXISTS (SELECT FROM $.names n WHERE n.number = c.name)`,
    sentence: FINDING.commandWithoutName,
  },
  {
    sql: `SELECT position FROM $.commits WHERE ${PIECE} AND (octet_length(hash) <> 32 OR octet_length(fingerprint) <> 32
            OR outcome NOT IN (0, 1) OR attempt NOT IN (0, position) OR (outcome = 0 AND attempt <> 0)
            OR time NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER})`,
    sentence: FINDING.wrongCommit,
  },
  {
    sql: `SELECT position FROM
            (SELECT position, recorded_at, coalesce(lag(recorded_at) OVER (ORDER BY position),
               ${beforePiece('recorded_at')}, 0) AS before
             FROM $.commits WHERE ${PIECE}) c
          WHERE recorded_at < before`,
    sentence: FINDING.recordedTooEarly,
  },
  {
    sql: `SELECT position FROM $.events e WHERE ${PIECE} AND time IS DISTINCT FROM
            (SELECT c.time FROM $.commits c WHERE c.position <= e.position ORDER BY c.position DESC LIMIT 1)`,
    sentence: FINDING.otherTime,
  },
];

/**
 * Rows in a piece of the index: above document $1, version $2, up to document $3, version $4. $5 is the position of the last
 * row before the piece. (Every parameter must be used.)
 */
export const INDEX_PIECE =
  '(a.document, a.version) > ($1::bigint, $2::bigint) AND (a.document, a.version) <= ($3::bigint, $4::bigint) AND $5::bigint IS NOT NULL';
const inOrder = (column: string, before: string): string =>
  `coalesce(lag(a.${column}) OVER (PARTITION BY a.document ORDER BY a.version),
     CASE WHEN a.document = $1::bigint THEN ${before}::bigint ELSE 0 END)`;

// What belongs to a row is looked up for each row (`LATERAL` with a limit). A plan that reads a whole table for each piece would
// cost the square of the log.
export const OF_THE_INDEX: readonly Rule[] = [
  {
    sql: `SELECT document, version, expected FROM
            (SELECT a.document, a.version, ${inOrder('version', '$2')} + 1 AS expected FROM $.attachments a
             WHERE ${INDEX_PIECE}) a
          WHERE version <> expected`,
    sentence: (document, version, expected) =>
      `Document ${document} has an event of version ${version} where ${expected} was expected.`,
  },
  {
    sql: `SELECT document, version FROM
            (SELECT a.document, a.version, a.position, ${inOrder('position', '$5')} AS before FROM $.attachments a
             WHERE ${INDEX_PIECE}) a
          WHERE position <= before`,
    sentence: FINDING.versionsOutOfOrder,
  },
  {
    sql: `SELECT a.document, a.version, a.position FROM $.attachments a
          LEFT JOIN LATERAL (SELECT e.position FROM $.events e WHERE e.position = a.position LIMIT 1) e ON true
          WHERE ${INDEX_PIECE} AND e.position IS NULL`,
    sentence: (document, version, position) =>
      `Version ${version} of document ${document} should be the event at position ${position}, which doesn't exist.`,
  },
  {
    sql: `SELECT DISTINCT document FROM $.attachments a
          LEFT JOIN LATERAL (SELECT d.number FROM $.documents d WHERE d.number = a.document LIMIT 1) d ON true
          WHERE ${INDEX_PIECE} AND d.number IS NULL`,
    sentence: FINDING.documentWithoutId,
  },
];

/** Documents with numbers above $1, up to $2. */
export const OF_DOCUMENTS: readonly Rule[] = [
  {
    sql: `SELECT d.number FROM $.documents d
          LEFT JOIN LATERAL (SELECT a.document FROM $.attachments a WHERE a.document = d.number LIMIT 1) a ON true
          WHERE d.number > $1::bigint AND d.number <= $2::bigint AND (
            a.document IS NULL OR NOT EXISTS (SELECT FROM $.names n WHERE n.number = d.collection))`,
    sentence: FINDING.documentWithoutEvents,
  },
];
