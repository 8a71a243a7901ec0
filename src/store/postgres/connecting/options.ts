/** The options of `postgres()`, checked. */
import { InvalidDefinition } from '../../../errors.ts';
import { oneOf, whole, type Check, type Checks } from '../../../options.ts';
import { isPlainObject } from '../../../realm.ts';
import { CLOCK_CHECKS } from '../../clock.ts';
import { CLOCK_AHEAD_MAX_MS } from '../../store.ts';
import { quoted } from '../schema.ts';

/**
 * What a commit waits for before it is acknowledged, as in PostgreSQL: `on` waits for the server's own disk, and for the
 * disks of the standbys that the server is told to wait for; `remote_apply` waits for more, the others for less; `off` for
 * nothing.
 */
export type SynchronousCommit = 'on' | 'remote_apply' | 'remote_write' | 'local' | 'off';

export interface PostgresOptions {
  /** The schema that holds the log, and nothing else. Several logs may share a database. `tidemark`. */
  readonly schema?: string | undefined;
  /**
   * What `pg` is to connect by, beside the connection string: `ssl`, `password` (a string, or a function that gives one),
   * `application_name`, `keepAlive` and so on. Not with a pool, which has its own.
   */
  readonly connection?: Readonly<Record<string, unknown>> | undefined;
  /** Most connections of a session, at least 2. Not with a pool, which has its own limit. 4. */
  readonly connections?: number | undefined;
  /**
   * What a commit waits for before it is acknowledged. By default what the server is set to, but `on` if that is `off`. With
   * `off` here, the last commits may be lost if the server crashes.
   */
  readonly synchronousCommit?: SynchronousCommit | undefined;
  /**
   * How long a call waits for a connection, in milliseconds; then `StoreUnavailable` if the database is away, and
   * `ConnectionsBusy` if all connections are in use. 5,000.
   */
  readonly connectTimeoutMs?: number | undefined;
  /** How long to wait for another server that holds the write lock, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly lockTimeoutMs?: number | undefined;
  /** How long a statement may go without an answer, in milliseconds; then the connection is given up. 15,000. */
  readonly answerTimeoutMs?: number | undefined;
  /** Most calls of one kind that wait for a connection at once; one more is `ConnectionsBusy` at once. 10,000. */
  readonly callsWaitingMax?: number | undefined;
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
  readonly callsWaitingMax: number;
  /** `now` is undefined for the database's own. */
  readonly clock: { readonly now: (() => number) | undefined; readonly aheadMs: number };
}

const TIMEOUT_MAX_MS = 24 * 60 * 60_000;
/** One for the writer, one for reads, also the reads of the work that holds the lock. */
const CONNECTIONS_MIN = 2;

/** Such a name is safe in SQL, in a URL and in a message. PostgreSQL reserves `pg_`. */
export const schemaName: Check<string> = (schema, refuse) =>
  typeof schema === 'string' && /^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(schema) && schema !== 'information_schema'
    ? schema
    : refuse('is a name of small letters, digits and _, at most 63, that doesn’t begin with a digit or with pg_');

/** The quoted name of a schema, for functions that make SQL. `what`: the function. @throws InvalidDefinition */
export function schemaOf(what: string, schema: unknown): string {
  const checked = schemaName(schema, (problem) => {
    throw new InvalidDefinition(`${what}: the schema ${problem}.`, { schema: typeof schema });
  });
  return quoted(checked);
}

// A lock_timeout of 0, or of less than 1, would be no limit.
const timeout = whole(1, TIMEOUT_MAX_MS);

export const POSTGRES: Checks<PostgresOptions> = {
  schema: schemaName,
  connection: (connection, refuse) => {
    if (typeof connection !== 'object' || connection === null) return refuse('must be an object, as pg takes it');
    const copy = ownCopy(connection) as Readonly<Record<string, unknown>>;
    return copy['binary'] ? refuse('must leave binary out: the store reads values as text') : copy;
  },
  connections: whole(CONNECTIONS_MIN),
  synchronousCommit: oneOf(['on', 'remote_apply', 'remote_write', 'local', 'off']),
  connectTimeoutMs: timeout,
  lockTimeoutMs: timeout,
  answerTimeoutMs: timeout,
  callsWaitingMax: whole(1),
  ...CLOCK_CHECKS,
};

/** `where` is the server and database, for messages. */
export function settingsOf(options: PostgresOptions, where: string): Settings {
  const { schema = 'tidemark', clock, clockAheadMs = CLOCK_AHEAD_MAX_MS, synchronousCommit } = options;
  return Object.freeze({
    schema,
    place: `schema ${schema} of ${where}`,
    synchronousCommit,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 5_000,
    answerTimeoutMs: options.answerTimeoutMs ?? 15_000,
    callsWaitingMax: options.callsWaitingMax ?? 10_000,
    clock: { now: clock, aheadMs: clockAheadMs },
  });
}

/** A deep copy of plain objects and lists; all else (bytes of a certificate, a function) stays the same value. */
function ownCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ownCopy);
  if (typeof value !== 'object' || value === null || !isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, ownCopy(field)]));
}
