/**
 * What PostgreSQL, its driver and the network say, told as errors of ours: the one place where it is decided, so that
 * nothing else reaches a caller. No message holds a password: none of PostgreSQL's does, and what the driver says of a
 * connection string that it can't read is left out.
 *
 * PostgreSQL's codes are at https://www.postgresql.org/docs/current/errcodes-appendix.html.
 */
import {
  Closed,
  FormatTooNew,
  InvalidInput,
  LogCorrupt,
  NotWritable,
  StoreUnavailable,
  WrongLog,
} from '../../errors.ts';

/** What our own functions raise when the isolation level would let them read what was before the lock. */
export const WRONG_ISOLATION = 'TM001';
/** What they raise when a later release has made a format that breaks with theirs. */
export const NEWER_FORMAT = 'TM004';
/** What they raise for whoever would take types away from a registered collection. */
export const TYPES_GONE = 'TM005';

/** What they raise for whoever means another log than the one that they find, or whose text is converted on its way. */
export const DIFFERENT_LOG = 'TM002';
export const WRONG_ENCODING = 'TM003';

const LOCK_TIMEOUT = '55P03';
/** Of statements that were cut short by a timeout, or cancelled; and of a transaction that took too long (17 and later). */
const CANCELLED = '57014';
const TRANSACTION_TIMEOUT = '25P04';
/** Where the default isolation is SERIALIZABLE, even of those that only read. */
const SERIALIZATION = '40001';
/** The role lacks a privilege. */
const FORBIDDEN = '42501';

/** What the driver threw, kept apart from errors in code of ours or of the caller's. */
export class Failed extends Error {
  readonly error: unknown;
  /** Whether there was no connection yet: then it says nothing about the log. */
  readonly connecting: boolean;
  /** Whether nothing was sent but the beginning of a transaction. */
  readonly beginning: boolean;

  constructor(error: unknown, { connecting = false, beginning = false } = {}) {
    super('the driver failed');
    this.error = error;
    this.connecting = connecting;
    this.beginning = beginning;
  }
}

/** No answer came in time: the connection was given up. */
export class NoAnswer extends Error {
  constructor(waitedMs: number) {
    super(`no answer within ${Math.round(waitedMs)} ms`);
  }
}

/** The session was closed before an answer came. */
export class Abandoned extends Error {
  constructor() {
    super('the session was closed before an answer came');
  }
}

/** The primary has committed, and somebody ended its waiting for a standby: PostgreSQL only warns of it. */
export class NotReplicated extends Error {
  constructor() {
    super('the primary has it, but its waiting for a standby was ended');
  }
}

/** What the server says beside its answers doesn't arrive: so it isn't known whether a commit has reached a standby. */
export class Unheard extends Error {
  constructor() {
    super('what the server notices does not arrive here, so whether a standby has it is unknown');
  }
}

/** The server only follows another one. */
export class Standby extends Error {
  constructor(host: string) {
    super(`${host} is a standby, which takes no writes`);
  }
}

/** PostgreSQL's code of an error, or undefined for what the driver or the network says. */
export function sqlState(failed: Failed): string | undefined {
  const { error } = failed;
  const code = codeOf(error);
  // The driver's own errors have codes of Node's, or none; only a report of the server's has a severity.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return undefined;
  return typeof error === 'object' && error !== null && 'severity' in error ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function text(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  // Several addresses of a host were tried: the message is empty then.
  if (error.message === '' && 'errors' in error && Array.isArray(error.errors))
    return error.errors.map(text).join('; ');
  return error.message;
}

/** Whether the server is gone, or ends the connection: whatever was read can be read again on another one. */
export function isLost(error: unknown): error is Failed {
  if (!(error instanceof Failed)) return false;
  const state = sqlState(error);
  return state === undefined || /^08|^57P0|^25P0[34]/.test(state);
}

/** Whether a setting of the role's or the database's may have cut it short: with settings of our own it may end. */
export function isCutShort(error: unknown): error is Failed {
  const state = error instanceof Failed ? sqlState(error) : undefined;
  return state === CANCELLED || state === TRANSACTION_TIMEOUT || state === SERIALIZATION;
}

/** Whether something that was spoken of by name isn't there, or isn't what it was. */
export function isMissing(error: unknown): error is Failed {
  const state = error instanceof Failed ? sqlState(error) : undefined;
  return state !== undefined && /^42P01$|^42883$|^3F000$/.test(state);
}

/** Whether what was to be made is there since a moment ago: a schema or a table of that name. */
export function isMadeMeanwhile(error: unknown): boolean {
  const state = error instanceof Failed ? sqlState(error) : undefined;
  return state === '23505' || state === '42P06' || state === '42P07';
}

/** Whether PostgreSQL says that what is stored is damaged, or a part of it missing or made otherwise. */
export function isDamage(failed: Failed): boolean {
  return /^42P01$|^42703$|^42883$|^42804$|^22|^23|^XX00[12]$/.test(sqlState(failed) ?? '');
}

/** Whether the connection was of no use before anything was sent that could have been stored. */
export function isNotSent(error: unknown): boolean {
  if (!(error instanceof Failed)) return false;
  return text(error.error).endsWith('not queryable') || (error.beginning && isLost(error));
}

/** Whether connecting again in a moment would fail the same way. */
export function isPermanent(failed: Failed): boolean {
  const state = sqlState(failed);
  if (state !== undefined) return !/^08|^53|^57P0|^55/.test(state);
  return isBadTls(failed.error) || isBadPassword(failed.error) || codeOf(failed.error) === 'ERR_INVALID_URL';
}

function isBadTls(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return (
    /^ERR_(TLS|SSL)|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code) || /does not support SSL/.test(text(error))
  );
}

// No password, or a function for one that gives none: the driver's own check.
function isBadPassword(error: unknown): boolean {
  return /password must be a/.test(text(error));
}

function details(failed: Failed, place: string): Readonly<Record<string, unknown>> {
  const state = sqlState(failed);
  return { place, ...(state !== undefined && { sqlState: state }), cause: text(failed.error) };
}

/** A failure met while the log was in use, as an error of ours. Others pass through as they are. */
export function translated(failed: unknown, place: string): unknown {
  if (!(failed instanceof Failed)) return failed;
  const { error, connecting } = failed;
  if (error instanceof Abandoned) return closed(place);
  const state = sqlState(failed);
  const refused = refusedAtTheDoor(failed, place);
  if (refused !== undefined) return refused;
  if (error instanceof NoAnswer && !connecting) {
    return new StoreUnavailable(
      `PostgreSQL gives no answer for the log in ${place} (${text(error)}). See that the server runs, and what its statements ` +
        'wait for (pg_stat_activity: a table that somebody has locked), then try again.',
      details(failed, place),
      error,
    );
  }
  if (state === undefined || isLost(failed)) {
    return new StoreUnavailable(
      `PostgreSQL can't be reached for the log in ${place} (${text(error)}). See that the server runs, then try again.`,
      details(failed, place),
      error,
    );
  }
  if (state === NEWER_FORMAT) {
    return new FormatTooNew(
      `A later release has brought the log in ${place} to a newer format while this one had it open. Nothing was stored: ` +
        'upgrade the package, then open the log again.',
      { place },
    );
  }
  if (state === LOCK_TIMEOUT) {
    return new StoreUnavailable(
      `Another server has held the write lock of the log in ${place} for too long. Nothing was stored: try again, or ` +
        'find what holds it (pg_locks, relation write_lock).',
      details(failed, place),
      error,
    );
  }
  if (state === DIFFERENT_LOG) return wrongLog(place, details(failed, place));
  if (state === WRONG_ENCODING) {
    return new StoreUnavailable(
      `The connection to the log in ${place} was set to another encoding than UTF8. Nothing was stored: leave client_encoding ` +
        'as the driver sets it.',
      details(failed, place),
      error,
    );
  }
  if (state === FORBIDDEN) return notWritable(place, error);
  if (state === '25006') {
    return new StoreUnavailable(
      `The log in ${place} can't be written on this server (${text(error)}). Connect to one that takes writes.`,
      details(failed, place),
      error,
    );
  }
  if (state === '54000' || state === '22021' || state === '22P05') {
    return new InvalidInput(
      `PostgreSQL can't hold a text of the batch (${text(error)}). Nothing was stored: send shorter, well-formed text.`,
      details(failed, place),
      error,
    );
  }
  if (!connecting && isDamage(failed)) {
    return new LogCorrupt(
      `The log in ${place} is damaged, or a part of it was removed or made by a newer version (${text(error)}). Stop ` +
        'writing, keep the database, and restore a copy beside it; or upgrade the package.',
      details(failed, place),
      error,
    );
  }
  return new StoreUnavailable(
    `PostgreSQL could not do what the log in ${place} asked for (${text(error)}). Nothing was stored: see its log, then try again.`,
    details(failed, place),
    error,
  );
}

/** Why no connection can be made, if only somebody can mend that. */
function refusedAtTheDoor(failed: Failed, place: string): NotWritable | StoreUnavailable | undefined {
  const { error, connecting } = failed;
  if (!connecting) return undefined;
  const state = sqlState(failed);
  if (state === '3D000') {
    return new NotWritable(
      `The database of ${place} doesn't exist. Create it first, or choose another one.`,
      details(failed, place),
    );
  }
  if (state?.startsWith('28') || isBadPassword(error)) {
    return new NotWritable(
      `PostgreSQL lets nobody in with this role and password at ${place} (${text(error)}). Correct them, or pg_hba.conf.`,
      details(failed, place),
    );
  }
  if (state !== undefined && /^22|^42/.test(state) && state !== FORBIDDEN) {
    return new NotWritable(
      `PostgreSQL takes no connection with these settings at ${place} (${text(error)}). Correct the options in the connection ` +
        'string, or those of the role.',
      details(failed, place),
    );
  }
  if (isBadTls(error)) {
    return new StoreUnavailable(
      `No encrypted connection could be made to ${place} (${text(error)}). Correct the options of TLS, or the certificate.`,
      details(failed, place),
      error,
      false,
    );
  }
  if (codeOf(error) === 'ERR_INVALID_URL') {
    return new NotWritable(
      'The driver can’t read the connection string. Correct it: postgres://role@host:5432/database.',
      {},
    );
  }
  return undefined;
}

/** The same while opening: there, a server that takes no writes is no place for a log. */
export function translatedAtOpen(failed: unknown, place: string): unknown {
  if (!(failed instanceof Failed)) return failed;
  const { error } = failed;
  if (sqlState(failed) === '25006') return notWritable(place, error);
  if (error instanceof Unheard) {
    return new NotWritable(
      `Nothing that PostgreSQL at ${place} notices arrives here. A commit that no standby has could not be told from one that ` +
        'a standby has: connect without whatever is between and passes no notices on.',
      { place },
    );
  }
  return translated(failed, place);
}

export function notWritable(place: string, cause: unknown): NotWritable {
  return new NotWritable(
    `This role may not use the log in ${place}, or make one there (${text(cause)}). Open it once with a role that owns the schema ` +
      '(or may create it), and let that role run what grants() gives for this one.',
    { place, cause: text(cause) },
    cause,
  );
}

/** The log that was opened isn't where it was: `found` says what is. */
export function wrongLog(
  place: string,
  details: Readonly<Record<string, unknown>> = { place },
  found = 'another one',
): WrongLog {
  return new WrongLog(
    `Where the log in ${place} was opened there is ${found} now: a schema or a database was renamed, restored or made anew. ` +
      'Nothing was stored. Stop this server, find the log, and open it where it is.',
    details,
  );
}

/** A write that was sent and got no answer: it may be stored, or be stored yet. */
export function unknownCommit(failed: Failed, place: string): StoreUnavailable {
  const { error } = failed;
  return new StoreUnavailable(
    `It isn't known whether the commit to the log in ${place} was stored (${text(error)}). Send the same commands again with ` +
      'the same ids: they are stored once.',
    { ...details(failed, place), unknown: true },
    error,
  );
}

/** The log holds what no log can hold. `where` says at which position or document. */
export function corrupt(what: string, where: Readonly<Record<string, unknown>> = {}): LogCorrupt {
  const at = Object.entries(where)
    .map(([name, value]) => ` ${name} ${String(value)}`)
    .join(',');
  return new LogCorrupt(
    `The log is damaged${at && ` at${at}`}: ${what}. Stop writing, keep the database, and restore a copy beside it.`,
    where,
  );
}

/** An append under the write lock that a fence was raised for: none can be raised while the lock is held. */
export function fencedOff(place: string): StoreUnavailable {
  return new StoreUnavailable(
    `The log in ${place} has turned an append away that was sent too late. Nothing was stored: send it again.`,
    { place },
  );
}

export function closed(place: string): Closed {
  return new Closed(`The session on the log in ${place} was closed. Open the log again to use it.`, { place });
}
