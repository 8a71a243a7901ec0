/** What `check` looks for: each rule of schema.ts as a query for the rows that break it. */
import { PLACE_MARK } from '../../store.ts';
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
            ('documents', 'collection,id'), ('names', 'name'), ('meta', 'name'), ('types', 'type'), ('keyings', 'name'),
            ('definitions', 'id'), ('indexes', 'number'), ('later', 'position,document'), ('sets', 'number'),
            ('stored', 'document_set,id'), ('entries', 'index_number,key')
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

/** The texts of the registry, for {@link registryFindings}. */
export const REGISTRY_ROWS = `SELECT (SELECT string_agg(m.value::text, ',') FROM $.meta m WHERE m.name = 'generation'), r.*
  FROM (VALUES (true)) AS answer LEFT JOIN (
    SELECT 'declared key of the keying ' || name, key, NULL FROM $.keyings
    UNION ALL SELECT 'handled types of definition ' || definition || ' of ' || collection, NULL, handled FROM $.definitions
    UNION ALL SELECT 'fields of the index ' || number, NULL, fields FROM $.indexes
  ) r (what, key, list) ON true ORDER BY r.what`;

const END = `coalesce((SELECT position + event_count - 1 FROM $.commits ORDER BY position DESC LIMIT 1), 0)`;
/** The numbers that were given, and the sets that definitions have. */
const NEEDED =
  'SELECT document_set AS number FROM $.definitions UNION SELECT rebuilt FROM $.definitions WHERE rebuilt IS NOT NULL';
const NUMBERS = `${NEEDED} UNION SELECT id FROM $.definitions UNION SELECT number FROM $.indexes`;

export const OF_THE_REGISTRY: readonly Rule[] = [
  {
    sql: `SELECT k.name FROM $.keyings k WHERE k.state NOT IN ('filling', 'live', 'retired') OR k.filled < 0
            OR (k.state = 'filling' AND k.filled > ${END}) OR (k.unswept IS NOT NULL AND k.state <> 'retired')`,
    sentence: FINDING.keyingNotValid,
  },
  {
    sql: `SELECT d.collection, d.definition FROM $.definitions d
          WHERE NOT EXISTS (SELECT FROM $.keyings k WHERE k.name = d.keying AND k.collection = d.collection)`,
    sentence: FINDING.definitionWithoutKeying,
  },
  {
    // Its hash is that of the last commit that ends at its place or before.
    sql: `SELECT coalesce(n.number, s.number) FROM (${NEEDED}) n FULL JOIN $.sets s ON s.number = n.number
          WHERE n.number IS NULL OR s.number IS NULL OR s.position NOT BETWEEN 0 AND ${END}
            OR s.generation IS DISTINCT FROM (SELECT m.value FROM $.meta m WHERE m.name = 'generation')
            OR (substr(s.hash, 1, 16) <> decode('${PLACE_MARK}', 'hex') AND s.hash IS DISTINCT FROM coalesce((
              SELECT c.hash FROM $.commits c WHERE c.position <= s.position AND c.position + c.event_count - 1 <= s.position
              ORDER BY c.position DESC LIMIT 1), decode(repeat('00', 32), 'hex')))`,
    sentence: FINDING.setNotValid,
  },
  {
    sql: `SELECT i.number FROM $.indexes i WHERE i.state NOT IN ('filling', 'live')`,
    sentence: FINDING.indexNotValid,
  },
  {
    sql: `SELECT coalesce(l.last::text, 'missing'), n.highest FROM (SELECT coalesce(max(number), 0) AS highest FROM (${NUMBERS}) n) n
          LEFT JOIN (SELECT m.value AS last FROM $.meta m WHERE m.name = 'last') l ON true
          WHERE l.last IS NULL OR l.last < n.highest`,
    sentence: FINDING.lastNotValid,
  },
];

/** Whether a document is of a retired keying, whose attachments are removed little by little. Nearly always there is none. */
export const isRetired = (
  document: string,
): string => `(EXISTS (SELECT FROM $.keyings k WHERE k.state = 'retired') AND EXISTS (
    SELECT FROM $.documents d JOIN $.names n ON n.number = d.collection JOIN $.keyings k ON k.name = n.name
    WHERE d.number = ${document} AND k.state = 'retired'))`;

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
          WHERE (a.position IS DISTINCT FROM l.position OR a.type IS DISTINCT FROM l.type)
            AND NOT ${isRetired('CASE WHEN length(l.document) < 19 THEN l.document::bigint END')}`,
    sentence: FINDING.notInIndex,
  },
  {
    sql: `SELECT l.position, l.document, l.version FROM $.later l
          LEFT JOIN LATERAL (
            SELECT a.position, a.type FROM $.attachments a WHERE a.document = l.document AND a.version = l.version LIMIT 1
          ) a ON true
          WHERE l.position > $1::bigint AND l.position <= $2::bigint AND (a.position IS DISTINCT FROM l.position
            OR a.type IS DISTINCT FROM (SELECT e.type FROM $.events e WHERE e.position = l.position))`,
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
            (a.document IS NULL AND NOT ${isRetired('d.number')}) OR NOT EXISTS (SELECT FROM $.names n WHERE n.number = d.collection))`,
    sentence: FINDING.documentWithoutEvents,
  },
];

/** Rows of a table with keys of a number and bytes: above $1 and $2, up to $3 and $4. The bytes are hexadecimal digits. */
export const pairsPiece = (number: string, bytes: string): string =>
  `(${number}, ${bytes}) > ($1::bigint, decode($2, 'hex')) AND (${number}, ${bytes}) <= ($3::bigint, decode($4, 'hex'))`;

/** What no registered set or index has is left for `sweep`. */
export const OF_STORED: readonly Rule[] = [
  {
    sql: `SELECT s.document_set, convert_from(s.id, 'UTF8') FROM $.stored s
          WHERE ${pairsPiece('s.document_set', 's.id')} AND (s.version < 0 OR s.changed NOT BETWEEN 0 AND s.version)`,
    sentence: FINDING.storedNotValid,
  },
];

/** The registered indexes. */
export const INDEXES = 'SELECT i.number FROM $.indexes i JOIN $.sets t ON t.number = i.document_set';

/** Of an index as a whole, $1: between two pieces an entry may move from one to the other. */
export const OF_AN_INDEX: readonly Rule[] = [
  {
    sql: `SELECT e.index_number, convert_from(e.id, 'UTF8') FROM $.entries e WHERE e.index_number = $1::bigint
          GROUP BY e.index_number, e.id HAVING count(*) > 1`,
    sentence: FINDING.severalEntries,
  },
];

export const OF_ENTRIES: readonly Rule[] = [
  {
    sql: `SELECT e.index_number, convert_from(e.id, 'UTF8') FROM $.entries e
          JOIN $.indexes i ON i.number = e.index_number JOIN $.sets t ON t.number = i.document_set
          LEFT JOIN LATERAL (
            SELECT s.id, s.failed FROM $.stored s WHERE s.document_set = i.document_set AND s.id = e.id LIMIT 1
          ) s ON true
          WHERE ${pairsPiece('e.index_number', 'e.key')} AND (s.id IS NULL OR s.failed IS NOT NULL)`,
    sentence: FINDING.entryWithoutDocument,
  },
];
