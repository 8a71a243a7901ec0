/**
 * Looks for damage: SQLite's own check, and the rules in schema.ts. It takes long on a long log, so it runs in a thread. Each
 * statement sees the log at its own moment.
 */
import { FINDING, FINDINGS_MAX, registryFindings } from '../../findings.ts';
import type { Look } from './aside.ts';
import { stopsAtDamage } from '../errors.ts';
import { PARTS, schemaFindings, type Part } from '../schema.ts';

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
      CASE WHEN json_valid(attachments) THEN attachments ELSE '[]' END)) / 2, 0) AS inline FROM events)
    WHERE rows <> inline`,
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
      OR NOT EXISTS (SELECT 1 FROM attachments a WHERE a.document = d.number)`,
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
};

/** The registry as it is stored, for {@link registryFindings}. */
const REGISTRY_ROWS = `SELECT (SELECT group_concat(value) FROM meta WHERE name = 'generation'), r.name, r.key, r.handled
  FROM (SELECT 1) LEFT JOIN registry r ON true ORDER BY r.name`;

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
const LISTS = `WITH item AS (
    SELECT e.position, e.type, d.key, d.value AS document,
      lead(d.value) OVER (PARTITION BY e.position ORDER BY d.key) AS version
    FROM events e, json_each(CASE WHEN json_valid(e.attachments) THEN e.attachments ELSE '[]' END) d
    WHERE e.position > ? AND e.position <= ?)
  SELECT i.position, i.document, i.version FROM item i
  LEFT JOIN attachments a ON a.document = i.document AND a.version = i.version
  WHERE i.key % 2 = 0 AND (a.position IS NOT i.position OR a.type IS NOT i.type) LIMIT ${FINDINGS_MAX}`;

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
