/**
 * What PostgreSQL, its driver and the network say of a statement or a connection that failed, and what follows from it: is
 * the server gone, was anything sent, would another try fail the same way. How it is told to the caller is errors.ts's.
 *
 * PostgreSQL's codes are at https://www.postgresql.org/docs/current/errcodes-appendix.html.
 */

/** What our own functions raise when the isolation level would let them read what was before the lock. */
export const WRONG_ISOLATION = 'TM001';
/** What they raise when a later release has made a format that breaks with theirs. */
export const NEWER_FORMAT = 'TM004';
/** What they raise if a registered collection would lose types. */
export const TYPES_GONE = 'TM005';
/** What they raise if the log isn't the one that the caller means, and if text is converted on its way. */
export const DIFFERENT_LOG = 'TM002';
export const WRONG_ENCODING = 'TM003';

export const LOCK_TIMEOUT = '55P03';
/** Of statements that were cut short by a timeout, or cancelled; and of a transaction that took too long (17 and later). */
const CANCELLED = '57014';
const TRANSACTION_TIMEOUT = '25P04';
/** Where the default isolation is SERIALIZABLE, even of those that only read. */
const SERIALIZATION = '40001';
/** The server, or the transaction, only reads. */
export const READ_ONLY = '25006';
/** The role lacks a privilege. */
export const FORBIDDEN = '42501';

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

/** The code of an error: PostgreSQL's, Node's or the driver's. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says. */
export function text(error: unknown): string {
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

/** Whether a text can't be stored: too long, or characters that PostgreSQL doesn't take. */
export function isTextRefused(failed: Failed): boolean {
  return /^54000$|^22021$|^22P05$/.test(sqlState(failed) ?? '');
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

/** Whether no encrypted connection could be made. */
export function isBadTls(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return (
    /^ERR_(TLS|SSL)|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code) || /does not support SSL/.test(text(error))
  );
}

/** No password, or a function for one that gives none: the driver's own check. */
export function isBadPassword(error: unknown): boolean {
  return /password must be a/.test(text(error));
}
