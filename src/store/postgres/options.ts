/** The options of `postgres()`, checked. */
import { InvalidDefinition } from '../../errors.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import type { SynchronousCommit } from './synchronous-commit.ts';

export interface PostgresOptions {
  /** The schema that holds the log, and nothing else. Several logs may share a database. `tidemark`. */
  readonly schema?: string | undefined;
  /**
   * What `pg` is to connect by, beside the connection string: `ssl`, `password` (a string, or a function that gives one),
   * `application_name`, `keepAlive` and so on. Not with a pool, which has its own.
   */
  readonly connection?: Readonly<Record<string, unknown>> | undefined;
  /** Most connections of a session, at least 2. Not with a pool, which has its own. 4. */
  readonly connections?: number | undefined;
  /**
   * What a commit waits for before it is acknowledged. By default what the server is set to, and never less than its own
   * disk: if `synchronous_commit` is `off` there, `on`. To lose the last commits in a crash of the server, say `off`.
   */
  readonly synchronousCommit?: SynchronousCommit | undefined;
  /** How long a call waits for a connection while the database is away, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long to wait for another server that holds the write lock, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly lockTimeoutMs?: number | undefined;
  /** How long a statement may go without an answer, in milliseconds; then the connection is given up. 15,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** The store's clock, in milliseconds since the Unix epoch: for tests. By default the database's own. */
  readonly clock?: (() => number) | undefined;
  /** How far ahead of the store's clock a decision's time may be, in milliseconds; then `ClockAhead`. Five minutes. */
  readonly clockAheadMs?: number | undefined;
}

export interface Settings {
  readonly schema: string;
  /** Where the log is, for messages: without user and password. */
  readonly place: string;
  readonly synchronousCommit: SynchronousCommit | undefined;
  readonly connectTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly answerTimeoutMs: number;
  /** `now` is undefined for the database's own. */
  readonly clock: { readonly now: (() => number) | undefined; readonly aheadMs: number };
}

const KNOWN = [
  'schema',
  'connection',
  'connections',
  'synchronousCommit',
  'connectTimeoutMs',
  'lockTimeoutMs',
  'answerTimeoutMs',
  'clock',
  'clockAheadMs',
];
const LEVELS: ReadonlySet<unknown> = new Set(['on', 'remote_apply', 'remote_write', 'local', 'off', undefined]);
const TIMEOUT_MAX_MS = 24 * 60 * 60_000;
/** One for the writer, so that reads have another: those of the work that holds the lock too. */
const CONNECTIONS_MIN = 2;
const CONNECTIONS = 4;

/** What can stand in SQL, in a URL and in a message without a second thought. PostgreSQL keeps `pg_` to itself. */
export function checkSchema(schema: unknown): string {
  if (typeof schema === 'string' && /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(schema) && schema !== 'information_schema') {
    return schema;
  }
  throw invalid(
    'schema',
    'schema is a name of small letters, digits and _, at most 63, that doesn’t begin with a digit or with pg_.',
  );
}

/** `where` is the server and database, for messages. */
export function settingsOf(options: PostgresOptions, where: string): Settings {
  for (const option of Object.keys(options)) {
    if (!KNOWN.includes(option)) {
      throw invalid(option, `${option} is no option of postgres(): it has ${KNOWN.join(', ')}.`);
    }
  }
  const { clock, clockAheadMs = CLOCK_AHEAD_MAX_MS, synchronousCommit } = options;
  const schema = checkSchema(options.schema ?? 'tidemark');
  if (!LEVELS.has(synchronousCommit)) {
    throw invalid('synchronousCommit', 'synchronousCommit is "on", "remote_apply", "remote_write", "local" or "off".');
  }
  if (clock !== undefined && typeof clock !== 'function') {
    throw invalid('clock', 'clock is a function that returns milliseconds.');
  }
  return Object.freeze({
    schema,
    place: `schema ${schema} of ${where}`,
    synchronousCommit,
    connectTimeoutMs: milliseconds('connectTimeoutMs', options.connectTimeoutMs ?? 5_000, 1),
    lockTimeoutMs: milliseconds('lockTimeoutMs', options.lockTimeoutMs ?? 5_000, 1),
    answerTimeoutMs: milliseconds('answerTimeoutMs', options.answerTimeoutMs ?? 15_000, 1),
    clock: { now: clock, aheadMs: milliseconds('clockAheadMs', clockAheadMs, 0, Infinity) },
  });
}

/** How many connections a pool of the session's own has. */
export function connectionsOf({ connections = CONNECTIONS }: PostgresOptions): number {
  if (Number.isSafeInteger(connections) && connections >= CONNECTIONS_MIN) return connections;
  throw invalid(
    'connections',
    `connections is a whole number from ${CONNECTIONS_MIN}: one that writes, and one that reads.`,
  );
}

function milliseconds(option: string, value: number, min: number, max: number = TIMEOUT_MAX_MS): number {
  // A lock_timeout of 0 or of a fraction would be none.
  if (typeof value === 'number' && value >= min && value <= max && (max === Infinity || Number.isInteger(value))) {
    return value;
  }
  throw invalid(option, `${option} is a number of milliseconds from ${min} to ${max}.`);
}

export function invalid(option: string, message: string): InvalidDefinition {
  return new InvalidDefinition(message, { option });
}
