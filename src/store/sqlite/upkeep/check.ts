/**
 * Looks for damage: SQLite's own check, and the rules in schema.ts. It takes long on a long log, so it runs in a thread. Each
 * statement sees the log at its own moment.
 */
import { PLACE_MARK } from '../../store.ts';
import { FINDING, FINDINGS_MAX, registryFindings } from '../../findings.ts';
import type { Look } from './aside.ts';
import { stopsAtDamage } from '../errors.ts';
import { PARTS, schemaFindings, type Part } from '../schema.ts';

/** Documents of retired keyings, which may have lost events that the lists still name. */
const RETIRED = `SELECT d.number FROM documents d JOIN names n ON n.number = d.collection JOIN keyings k ON k.name = n.name
  WHERE k.state = 'retired'`;

/** The lists of events, an item for each number: that of a document, if its key is even, and the version after it. */
const items = (where: string): string => `SELECT e.position, e.type, d.key, d.value AS document,
    lead(d.value) OVER (PARTITION BY e.position ORDER BY d.key) AS version
  FROM events e, json_each(CASE WHEN json_valid(e.attachments) THEN e.attachments ELSE '[]' END) d WHERE ${where}`;

/** How many of them the index has lost. */
const LOST = `CASE WHEN EXISTS (SELECT 1 FROM keyings WHERE state = 'retired') THEN (
    SELECT count(*) FROM (${items('true')}) i WHERE i.key % 2 = 0 AND i.document IN (${RETIRED})
      AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.document = i.document AND a.version = i.version)) ELSE 0 END`;

/** The sets that definitions have. */
const SETS = `SELECT document_set AS number FROM definitions UNION SELECT rebuilt FROM definitions WHERE rebuilt NOT NULL`;

/** Each query gives the rows that break a rule. */
const RULES: Readonly<Partial<Record<keyof typeof FINDING, string>>> = {
  eventsMissing: `SELECT position, expected FROM
      (SELECT position, coalesce(lag(position) OVER (ORDER BY position), 0) + 1 AS expected FROM events)
    WHERE position <> expected`,
  commitElsewhere: `SELECT position, expected FROM
      (SELECT position, coalesce(lag(position + event_count) OVER (ORDER BY position), 1) AS expected FROM commits)
    WHERE position <> expected`,
  commitWithoutEvents: 'SELECT position, event_count FROM commits WHERE event_count < 1',
  otherEnds: `SELECT * FROM (SELECT coalesce(max(position), 0) AS events FROM events),
      (SELECT coalesce(max(position + event_count - 1), 0) AS commits FROM commits) WHERE events <> commits`,
  eventWithoutList: `SELECT position FROM events WHERE NOT json_valid(attachments)
      OR json_type(attachments) <> 'array' OR json_array_length(attachments) % 2 <> 0`,
  otherCounts: `SELECT * FROM (SELECT count(*) AS rows FROM attachments), (SELECT coalesce(sum(json_array_length(
      CASE WHEN json_valid(attachments) THEN attachments ELSE '[]' END)) / 2, 0)
      + (SELECT count(*) FROM later) - ${LOST} AS listed FROM events)
    WHERE rows <> listed`,
  notInIndex: `SELECT l.position, l.document, l.version FROM later l
    LEFT JOIN events e ON e.position = l.position
    LEFT JOIN attachments a ON a.document = l.document AND a.version = l.version
    WHERE a.position IS NOT l.position OR a.type IS NOT e.type`,
  otherHead: `SELECT document, count(*) AS count, max(version) AS head FROM attachments
    GROUP BY document HAVING count <> head OR min(version) < 1`,
  versionsOutOfOrder: `SELECT document, version FROM
      (SELECT document, version, position,
        lag(position, 1, 0) OVER (PARTITION BY document ORDER BY version) AS before FROM attachments)
    WHERE position <= before`,
  typeWithoutName: 'SELECT position, type FROM events WHERE type NOT IN (SELECT number FROM names)',
  commandWithoutName: 'SELECT position, name FROM commits WHERE name NOT IN (SELECT number FROM names)',
  documentWithoutId: 'SELECT DISTINCT document FROM attachments WHERE document NOT IN (SELECT number FROM documents)',
  documentWithoutEvents: `SELECT number, collection FROM documents d WHERE collection NOT IN (SELECT number FROM names)
      OR (NOT EXISTS (SELECT 1 FROM attachments a WHERE a.document = d.number) AND number NOT IN (${RETIRED}))`,
  wrongCommit: `SELECT position FROM commits WHERE length(hash) <> 32 OR length(fingerprint) <> 32 OR outcome NOT IN (0, 1)
      OR attempt NOT IN (0, position) OR (outcome = 0 AND attempt <> 0)
      OR time NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
  recordedTooEarly: `SELECT position FROM
      (SELECT position, recorded_at, lag(recorded_at, 1, 0) OVER (ORDER BY position) AS before FROM commits)
    WHERE recorded_at < before`,
  otherTime: `SELECT position FROM events e WHERE time IS NOT
      (SELECT c.time FROM commits c WHERE c.position <= e.position ORDER BY c.position DESC LIMIT 1)`,
  otherFirstEvent: `SELECT type, stored, listed FROM (
      SELECT e.type, e.position AS stored, t.position AS listed
      FROM (SELECT type, min(position) AS position FROM events GROUP BY type) e
      FULL JOIN types t ON t.type = e.type)
    WHERE stored IS NOT listed`,
  // CROSS JOIN keeps the order: the other way round, each event would be compared with each commit.
  otherFirstSuccess: `SELECT t.type, e.position, t.succeeded FROM types t
    LEFT JOIN (
      SELECT e.type, min(e.position) AS position FROM commits c CROSS JOIN events e
      WHERE c.outcome = 0 AND e.position BETWEEN c.position AND c.position + c.event_count - 1
      GROUP BY e.type) e ON e.type = t.type
    WHERE e.position IS NOT t.succeeded`,
  keyingNotValid: `SELECT name FROM keyings WHERE state NOT IN ('filling', 'live', 'retired')
      OR filled NOT BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}`,
  definitionWithoutKeying: `SELECT collection, definition FROM definitions d
    WHERE NOT EXISTS (SELECT 1 FROM keyings k WHERE k.name = d.keying AND k.collection = d.collection)`,
  // The hash is that of the last commit that ends at its place or before.
  setNotValid: `SELECT coalesce(n.number, s.number) FROM (${SETS}) n FULL JOIN sets s ON s.number = n.number
    WHERE n.number IS NULL OR s.number IS NULL
      OR s.position NOT BETWEEN 0 AND (SELECT coalesce(max(position), 0) FROM events)
      OR (substr(s.hash, 1, 16) <> x'${PLACE_MARK}' AND s.hash IS NOT coalesce((SELECT c.hash FROM commits c
        WHERE c.position <= s.position AND c.position + c.event_count - 1 <= s.position
        ORDER BY c.position DESC LIMIT 1), zeroblob(32)))`,
  indexNotValid: "SELECT number FROM indexes WHERE state NOT IN ('filling', 'live')",
  lastNotValid: `SELECT last, highest FROM (SELECT (SELECT value FROM meta WHERE name = 'last') AS last,
      (SELECT coalesce(max(number), 0) FROM
        (${SETS} UNION SELECT id FROM definitions UNION SELECT number FROM indexes UNION
          SELECT document_set FROM stored UNION SELECT number FROM entries)) AS highest)
    WHERE last IS NULL OR last < highest`,
  storedNotValid: `SELECT document_set, id FROM stored
    WHERE changed < 0 OR version < changed OR version > ${Number.MAX_SAFE_INTEGER}`,
  entryWithoutDocument: `SELECT e.number, coalesce(s.id, e.document) FROM entries e
    JOIN indexes i ON i.number = e.number JOIN sets ON sets.number = i.document_set
    LEFT JOIN stored s ON s.number = e.document
    WHERE s.document_set IS NOT i.document_set OR s.failed IS NOT NULL`,
  severalEntries: `SELECT e.number, coalesce(s.id, e.document) FROM entries e
    JOIN indexes i ON i.number = e.number JOIN sets ON sets.number = i.document_set
    LEFT JOIN stored s ON s.number = e.document
    GROUP BY e.number, e.document HAVING count(*) > 1`,
};

/** The texts of the registry, for {@link registryFindings}. */
const REGISTRY_ROWS = `SELECT (SELECT group_concat(value) FROM meta WHERE name = 'generation'), r.*
  FROM (SELECT 1) LEFT JOIN (
    SELECT 'declared key of the keying ' || name AS what, key, NULL FROM keyings
    UNION ALL SELECT 'handled types of definition ' || definition || ' of ' || collection, NULL, handled FROM definitions
    UNION ALL SELECT 'fields of the index ' || number, NULL, fields FROM indexes
  ) r ON true ORDER BY r.what`;

/** Bytes of lists that are checked together: sorting them fits into memory. */
const LISTS_BYTES = 2 ** 20;
const LISTS_ROWS = 10_000;

/**
 * Where the next page ends: always after at least one event. Only positions that are numbers: a damaged one that is a text
 * would come back changed, and the check would go on from there for ever.
 */
const LISTS_END = `SELECT max(position) FROM (
    SELECT position, sum(length(attachments)) OVER (ORDER BY position) - length(attachments) AS before
    FROM (SELECT position, attachments FROM events WHERE position > ? AND position <= ${2n ** 63n - 1n} ORDER BY position LIMIT ${LISTS_ROWS}))
  WHERE before <= ${LISTS_BYTES}`;

/** Each list is parsed once: looking up its items one by one would cost the square of its length. */
const LISTS = `SELECT i.position, i.document, i.version FROM (${items('e.position > ? AND e.position <= ?')}) i
  LEFT JOIN attachments a ON a.document = i.document AND a.version = i.version
  WHERE i.key % 2 = 0 AND (a.position IS NOT i.position OR a.type IS NOT i.type)
    AND NOT (a.version IS NULL AND i.document IN (${RETIRED})) LIMIT ${FINDINGS_MAX}`;

/** Compares the lists of events with the index, a page of the log at a time. */
async function listFindings(look: Look): Promise<readonly string[]> {
  const findings: string[] = [];
  let after = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const [row] = await look<[number | null]>(LISTS_END, after);
    const upTo = row?.[0] ?? undefined;
    if (upTo === undefined || findings.length >= FINDINGS_MAX) return findings.slice(0, FINDINGS_MAX);
    for (const [position, document, version] of await look<[unknown, unknown, unknown]>(LISTS, after, upTo)) {
      findings.push(FINDING.notInIndex(position, document, version));
    }
    after = upTo;
  }
}

/** One sentence for each finding. */
export async function check(look: Look): Promise<readonly string[]> {
  const findings: string[] = [];
  try {
    findings.push(...schemaFindings(await look<Part>(PARTS)).slice(0, FINDINGS_MAX));
    const own = await look<[string]>(`PRAGMA integrity_check(${FINDINGS_MAX})`);
    findings.push(...own.filter(([line]) => line !== 'ok').map(([line]) => `SQLite: ${line.trim()}.`));
    for (const [name, sql] of Object.entries(RULES)) {
      const sentence: (...columns: readonly unknown[]) => string = FINDING[name as keyof typeof FINDING];
      const rows = await look<readonly unknown[]>(`${sql} LIMIT ${FINDINGS_MAX}`);
      findings.push(...rows.map((row) => sentence(...row)));
    }
    findings.push(...registryFindings(await look<readonly unknown[]>(REGISTRY_ROWS)));
    findings.push(...(await listFindings(look)));
  } catch (error) {
    // Damage that stops a query is a finding too; a disk that is full or can't be read is not.
    if (!stopsAtDamage(error)) throw error;
    findings.push(`SQLite could not go on: ${Error.isError(error) ? error.message : String(error)}.`);
  }
  return findings;
}
