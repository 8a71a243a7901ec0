/**
 * Looks for damage that the engine itself can see: the rules in schema.ts. Long on a long log: for tools, not for servers at
 * work.
 *
 * In pieces, each of a bounded number of rows and a transaction of its own: so no statement takes long, nothing is sorted
 * that doesn't fit into memory, and a connection that is lost costs one piece. Rows are only added, and each statement is of
 * one end of the log: so what it says of its piece holds whatever is written before the next.
 */
import { hasCode } from '../../../errors.ts';
import type { Query, Row, Value } from '../connecting/connection.ts';
import { whole } from '../values.ts';

/** Most findings of each kind. */
const FINDINGS_MAX = 5;
/** Where the first pieces begin: also below what a log can hold. */
const LEAST = String(-(2n ** 63n));
/** Rows of a piece, and bytes of the lists inline with its events. */
const ROWS = 1_000;
const LISTS_BYTES = 2 ** 17;

/** Runs statements in one transaction that only reads, each of an end of the log of its own. */
export type Look = <T>(run: (query: Query) => Promise<T>) => Promise<T>;

interface Rule {
  /** Gives the rows that break it. `$` stands for the schema. */
  readonly sql: string;
  readonly sentence: (...row: Row) => string;
}

const OF_THE_WHOLE: readonly Rule[] = [
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
    sql: `SELECT * FROM (SELECT coalesce(max(position), 0) AS events FROM $.events) e, (SELECT coalesce((
            SELECT position + event_count - 1 FROM $.commits ORDER BY position DESC LIMIT 1), 0) AS commits) c
          WHERE events <> commits`,
    sentence: (events, commits) => `The events end at position ${events}, the commits at ${commits}.`,
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

/** Of the rows in a piece of the log: positions above $1, up to $2. */
const PIECE = 'position > $1::bigint AND position <= $2::bigint';
/** Of the commit that a piece comes after. */
const beforePiece = (column: string): string =>
  `(SELECT ${column} FROM $.commits WHERE position <= $1::bigint ORDER BY position DESC LIMIT 1)`;
const LIST = '^([1-9][0-9]*,[1-9][0-9]*(,[1-9][0-9]*,[1-9][0-9]*)*)?$';

const OF_THE_LOG: readonly Rule[] = [
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position) OVER (ORDER BY position), greatest($1::bigint, 0)) + 1 AS expected
             FROM $.events WHERE ${PIECE}) e
          WHERE position <> expected`,
    sentence: (position, expected) => `Events are missing from position ${expected} up to ${position}.`,
  },
  {
    sql: `SELECT position, expected FROM
            (SELECT position, coalesce(lag(position + event_count) OVER (ORDER BY position),
               ${beforePiece('position + event_count')}, 1) AS expected
             FROM $.commits WHERE ${PIECE}) c
          WHERE position <> expected`,
    sentence: (position, expected) => `A commit begins at position ${position}, where ${expected} was expected.`,
  },
  {
    sql: `SELECT position, event_count FROM $.commits WHERE event_count < 1 AND ${PIECE}`,
    sentence: (position, count) => `The commit at position ${position} says that it has ${count} events.`,
  },
  {
    sql: `SELECT position FROM $.events WHERE attachments !~ '${LIST}' AND ${PIECE}`,
    sentence: (position) => `The event at position ${position} has no list of its documents.`,
  },
  {
    // A list is taken apart once: looking up one item after the other in it would be the square of its length.
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
    sentence: (position, document, version) =>
      `The event at position ${position} says that it is version ${version} of document ${document}, the index doesn't.`,
  },
  {
    sql: `SELECT position, type FROM $.events e WHERE ${PIECE} AND NOT EXISTS (SELECT FROM $.names n WHERE n.id = e.type)`,
    sentence: (position, type) => `The event at position ${position} has the type ${type}, which has no name.`,
  },
  {
    sql: `SELECT position, name FROM $.commits c WHERE ${PIECE} AND NOT EXISTS (SELECT FROM $.names n WHERE n.id = c.name)`,
    sentence: (position, name) => `The commit at position ${position} has the command ${name}, which has no name.`,
  },
  {
    sql: `SELECT position FROM $.commits WHERE ${PIECE} AND (octet_length(hash) <> 32 OR octet_length(fingerprint) <> 32
            OR outcome NOT IN (0, 1) OR attempt NOT IN (0, position) OR (outcome = 0 AND attempt <> 0)
            OR time NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER})`,
    sentence: (position) => `The commit at position ${position} has a hash, fingerprint, outcome or time that is none.`,
  },
  {
    sql: `SELECT position FROM
            (SELECT position, recorded_at, coalesce(lag(recorded_at) OVER (ORDER BY position),
               ${beforePiece('recorded_at')}, 0) AS before
             FROM $.commits WHERE ${PIECE}) c
          WHERE recorded_at < before`,
    sentence: (position) => `The commit at position ${position} was recorded before the one before it.`,
  },
  {
    sql: `SELECT position FROM $.events e WHERE ${PIECE} AND time IS DISTINCT FROM
            (SELECT c.time FROM $.commits c WHERE c.position <= e.position ORDER BY c.position DESC LIMIT 1)`,
    sentence: (position) => `The event at position ${position} has another time than its commit.`,
  },
];

/**
 * Of the rows in a piece of the index: those above document $1, version $2, up to document $3, version $4. $5 is the position
 * of the row that the piece comes after; every parameter must be used.
 */
const INDEX_PIECE =
  '(a.document, a.version) > ($1::bigint, $2::bigint) AND (a.document, a.version) <= ($3::bigint, $4::bigint) AND $5::bigint IS NOT NULL';
const inOrder = (column: string, before: string): string =>
  `coalesce(lag(a.${column}) OVER (PARTITION BY a.document ORDER BY a.version),
     CASE WHEN a.document = $1::bigint THEN ${before}::bigint ELSE 0 END)`;

// What belongs to a row is looked up for each (`LATERAL` with a limit): a plan that reads a whole table for each piece would make
// the work the square of the log.
const OF_THE_INDEX: readonly Rule[] = [
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
    sentence: (document, version) => `Version ${version} of document ${document} comes before the version below it.`,
  },
  {
    sql: `SELECT a.document, a.version, a.position FROM $.attachments a
          LEFT JOIN LATERAL (SELECT e.position FROM $.events e WHERE e.position = a.position LIMIT 1) e ON true
          WHERE ${INDEX_PIECE} AND e.position IS NULL`,
    sentence: (document, version, position) =>
      `Version ${version} of document ${document} is said to be the event at position ${position}, which isn't there.`,
  },
  {
    sql: `SELECT DISTINCT document FROM $.attachments a
          LEFT JOIN LATERAL (SELECT d.id FROM $.documents d WHERE d.id = a.document LIMIT 1) d ON true
          WHERE ${INDEX_PIECE} AND d.id IS NULL`,
    sentence: (document) => `Document ${document} has events but no id.`,
  },
];

/** Of the documents with numbers above $1, up to $2. */
const OF_DOCUMENTS: readonly Rule[] = [
  {
    sql: `SELECT d.id FROM $.documents d
          LEFT JOIN LATERAL (SELECT a.document FROM $.attachments a WHERE a.document = d.id LIMIT 1) a ON true
          WHERE d.id > $1::bigint AND d.id <= $2::bigint AND (
            a.document IS NULL OR NOT EXISTS (SELECT FROM $.names n WHERE n.id = d.collection))`,
    sentence: (document) => `Document ${document} has no collection or no events.`,
  },
];

/**
 * A piece is found by its keys, never in the whole table, and by one process: of a range of two keys the planner knows but what
 * the first says, and takes all events of a busy document for its piece (220 ms in 2,000,000 rows, where 0.1 ms is needed).
 */
const BY_INDEX = 'SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0';

/** The end of the log, however it is told, and the last number of a document. */
const ENDS = `SELECT greatest((SELECT max(position) FROM $.events), (
    SELECT position + event_count - 1 FROM $.commits ORDER BY position DESC LIMIT 1), 0),
  coalesce((SELECT max(id) FROM $.documents), 0)`;

/**
 * Where a piece of the log ends: always behind the next event, if there is one. The end of the log cuts off the rows of a
 * piece, not those that a piece is taken from: these would all be sorted, for each piece.
 */
const LOG_PIECE_END = `SELECT max(position) FROM (
    SELECT position, sum(octet_length(attachments)) OVER (ORDER BY position) - octet_length(attachments) AS before
    FROM (SELECT position, attachments FROM $.events WHERE position > $1::bigint ORDER BY position LIMIT ${ROWS}) e) e
  WHERE before <= ${LISTS_BYTES} AND position <= $2::bigint`;
const LISTED = `SELECT coalesce(sum(cardinality(string_to_array(attachments, ','))), 0) / 2 FROM $.events WHERE ${PIECE}`;
const INDEX_PIECE_END = `SELECT document, version, position FROM (
    SELECT a.document, a.version, a.position FROM $.attachments a
    WHERE (a.document, a.version) > ($1::bigint, $2::bigint) ORDER BY a.document, a.version LIMIT ${ROWS}) a
  ORDER BY document DESC, version DESC LIMIT 1`;
const INDEXED = `SELECT count(*) FROM $.attachments a WHERE ${INDEX_PIECE} AND a.position <= $5::bigint`;
const DOCUMENTS_PIECE_END = `SELECT max(id) FROM (
    SELECT id FROM $.documents WHERE id > $1::bigint ORDER BY id LIMIT ${ROWS}) d
  WHERE id <= $2::bigint`;

/** One sentence a finding. `schema` is quoted. */
export async function check(look: Look, schema: string): Promise<readonly string[]> {
  // Sets: a piece may be looked at twice, if its connection is lost.
  const findings = new Map<Rule, Set<string>>();
  const others = new Set<string>();
  const asked = (query: Query, sql: string, parameters: readonly Value[]): Promise<readonly Row[]> =>
    query(sql.replaceAll('$.', `${schema}.`).replaceAll("'$'", `'${schema}'`), parameters);
  const apply = async (query: Query, rules: readonly Rule[], parameters: readonly Value[] = []): Promise<void> => {
    for (const rule of rules) {
      const found = findings.get(rule) ?? new Set();
      findings.set(rule, found);
      const left = FINDINGS_MAX - found.size;
      if (left <= 0) continue;
      const rows = await asked(query, `${rule.sql} LIMIT ${left}`, parameters);
      for (const row of rows) found.add(rule.sentence(...row));
    }
  };
  const counted = async (query: Query, sql: string, parameters: readonly Value[]): Promise<number> =>
    whole((await asked(query, sql, parameters))[0]?.[0], 'a number of attachments');

  const lookAtPiece: Look = (run) =>
    look(async (query) => {
      await query(BY_INDEX);
      return run(query);
    });

  /** How many attachments the events of the log list. */
  const walkLog = async (end: string): Promise<number> => {
    let listed = 0;
    for (let after = LEAST; BigInt(after) < BigInt(end);) {
      const piece = await lookAtPiece(async (query) => {
        const [row] = await asked(query, LOG_PIECE_END, [after, end]);
        const upTo = row?.[0] ?? end;
        await apply(query, OF_THE_LOG, [after, upTo]);
        return { upTo, count: await counted(query, LISTED, [after, upTo]) };
      });
      after = piece.upTo;
      listed += piece.count;
    }
    return listed;
  };

  /** How many attachments the index has of events up to the end. */
  const walkIndex = async (end: string): Promise<number> => {
    let indexed = 0;
    let last: Row | undefined = [LEAST, LEAST, '0'];
    while (last !== undefined) {
      const [document, version, position] = last as readonly [string, string, string];
      const piece: { readonly next: Row; readonly count: number } | undefined = await lookAtPiece(async (query) => {
        const [next] = await asked(query, INDEX_PIECE_END, [document, version]);
        if (next === undefined) return undefined;
        const keys = [document, version, next[0]!, next[1]!];
        await apply(query, OF_THE_INDEX, [...keys, position]);
        return { next, count: await counted(query, INDEXED, [...keys, end]) };
      });
      last = piece?.next;
      indexed += piece?.count ?? 0;
    }
    return indexed;
  };

  const walkDocuments = async (last: string): Promise<void> => {
    for (let after: string | undefined = LEAST; after !== undefined;) {
      const from = after;
      after = await lookAtPiece(async (query) => {
        const [row] = await asked(query, DOCUMENTS_PIECE_END, [from, last]);
        const upTo = row?.[0] ?? undefined;
        if (upTo !== undefined) await apply(query, OF_DOCUMENTS, [from, upTo]);
        return upTo;
      });
    }
  };

  /** Damage that stops a statement is a finding too. What else stops it says nothing about the log. */
  const contained = async <T>(walk: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await walk();
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      others.add(`PostgreSQL could not go on: ${String(error.details['cause'] ?? error.message)}.`);
      return undefined;
    }
  };

  const ends = await contained(() => look((query) => asked(query, ENDS, [])));
  for (const rule of OF_THE_WHOLE) await contained(() => look((query) => apply(query, [rule])));
  if (ends !== undefined) {
    const [end, lastDocument] = ends[0] as readonly [string, string];
    const listed = await contained(() => walkLog(end));
    const indexed = await contained(() => walkIndex(end));
    await contained(() => walkDocuments(lastDocument));
    if (listed !== undefined && indexed !== undefined && listed !== indexed) {
      others.add(`The index holds ${indexed} attachments, the events ${listed}.`);
    }
  }
  return [...findings.values(), others].flatMap((found) => Array.from(found));
}
