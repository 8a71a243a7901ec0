/**
 * The hash chain, written from docs/reference/hash-chain.md alone: nothing of the product is imported here. It reads a log by plain
 * SQL, or takes commits and events that somebody else has read.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

/** A commit with its facts, as anybody can read them. */
export interface ReadCommit {
  readonly position: number;
  readonly recordedAt: number;
  readonly hash: string;
  readonly commandId: string;
  readonly commandName: string;
  readonly fingerprint: string;
  readonly outcome: 0 | 1 | 2;
  readonly reason: string | undefined;
  readonly details: string | undefined;
  readonly actor: string | undefined;
  readonly correlation: string | undefined;
  readonly causation: string | undefined;
  readonly time: number;
  readonly events: readonly { readonly type: string; readonly schemaVersion: number; readonly json: string }[];
}

function unsigned(value: number, bytes: 4 | 8): Buffer {
  return Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex',
  );
}

function text(value: string | undefined): Buffer {
  if (value === undefined) return Buffer.from('ffffffff', 'hex');
  const utf8 = Buffer.from(value, 'utf8');
  return Buffer.concat([unsigned(utf8.length, 4), utf8]);
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function digestOf(commit: ReadCommit): Buffer {
  return sha256(
    text('tidemark/commit/1'),
    text(commit.commandId),
    text(commit.commandName),
    Buffer.from(commit.fingerprint, 'hex'),
    Buffer.from([commit.outcome]),
    ...[commit.reason, commit.details, commit.actor, commit.correlation, commit.causation].map(text),
    unsigned(commit.time, 8),
    unsigned(commit.events.length, 4),
    ...commit.events.flatMap(({ type, schemaVersion, json }) => [text(type), unsigned(schemaVersion, 4), text(json)]),
  );
}

/** The document's section "Checking a log": what is wrong, or undefined. */
export function check(commits: readonly ReadCommit[]): string | undefined {
  let hash: Buffer = Buffer.alloc(32);
  let [next, recordedAt] = [1, 0];
  for (const commit of commits) {
    if (commit.position !== next) return `position ${commit.position} where ${next} was expected`;
    if (commit.recordedAt < recordedAt || commit.recordedAt < commit.time) return `recordedAt of ${commit.position}`;
    hash = sha256(hash, unsigned(commit.position, 8), unsigned(commit.recordedAt, 8), digestOf(commit));
    if (hash.toString('hex') !== commit.hash) return `hash of ${commit.position}`;
    recordedAt = commit.recordedAt;
    next += commit.events.length;
  }
  return undefined;
}

/** SHA-256 of the canonical JSON (RFC 8785) of actor, input and name. */
export function fingerprintOf(command: { actor?: string | undefined; input: unknown; name: string }): string {
  return sha256(Buffer.from(canonical(command), 'utf8')).toString('hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  // RFC 8785 sorts names by UTF-16 code units, as `<` compares strings.
  fields.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(',')}}`;
}

/** The commits of a file, by plain SQL. */
export function readFile(file: string): readonly ReadCommit[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const events = database.prepare(
      `SELECT n.name AS type, e.schema_version AS schemaVersion, e.json FROM events e JOIN names n ON n.number = e.type
       WHERE e.position >= ? AND e.position < ? ORDER BY e.position`,
    );
    return database
      .prepare(
        'SELECT c.*, n.name AS command_name FROM commits c JOIN names n ON n.number = c.name ORDER BY c.position',
      )
      .all()
      .map((row) => ({
        position: Number(row['position']),
        recordedAt: Number(row['recorded_at']),
        hash: Buffer.from(row['hash'] as Uint8Array).toString('hex'),
        commandId: String(row['command_id']),
        commandName: String(row['command_name']),
        fingerprint: Buffer.from(row['fingerprint'] as Uint8Array).toString('hex'),
        outcome: row['outcome'] === 0 ? 0 : row['attempt'] === 0 ? 1 : 2,
        reason: orAbsent(row['reason']),
        details: orAbsent(row['details']),
        actor: orAbsent(row['actor']),
        correlation: orAbsent(row['correlation']),
        causation: orAbsent(row['causation']),
        time: Number(row['time']),
        events: events.all(row['position']!, Number(row['position']) + Number(row['event_count'])) as never,
      }));
  } finally {
    database.close();
  }
}

function orAbsent(value: unknown): string | undefined {
  return value === null ? undefined : String(value);
}
