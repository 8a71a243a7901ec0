/**
 * What PostgreSQL, its driver and the network say of a statement or a connection that failed, and what follows from it: is
 * the server gone, was anything sent, would another try fail the same way. errors.ts makes the caller's error from it.
 *
 * PostgreSQL's codes are at https://www.postgresql.org/docs/current/errcodes-appendix.html.
 */

/** Raised by our own functions: at this isolation level they would read what was there before the lock. */
export const WRONG_ISOLATION = 'TM001';
/** The log isn't the one that the caller means. */
export const DIFFERENT_LOG = 'TM002';
/** Text is converted on its way. */
export const WRONG_ENCODING = 'TM003';
/** A later release has made a breaking format. */
export const NEWER_FORMAT = 'TM004';

export const LOCK_TIMEOUT = '55P03';
/** A statement was cancelled, or cut short by a timeout; a transaction took too long (version 17 and later). */
const CANCELLED = '57014';
const TRANSACTION_TIMEOUT = '25P04';
/** If the default isolation is SERIALIZABLE, a transaction that only reads may fail with it too. */
const SERIALIZATION = '40001';
/** The server, or the transaction, only reads. */
export const READ_ONLY = '25006';
/** The role lacks a privilege. */
export const FORBIDDEN = '42501';

/** What the driver threw: kept apart from errors in our code or the caller's. */
export class Failed extends Error {
  readonly error: unknown;
  /** There was no connection yet, so it says nothing about the log. */
  readonly connecting: boolean;
  /** Nothing was sent but the beginning of a transaction. */
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
export class Abandoned extends Error {}

/** PostgreSQL's notices don't arrive here. */
export class Unheard extends Error {}

/** PostgreSQL's code of a failure; undefined for any other error, and for what the driver or the network says. */
export function sqlState(failed: unknown): string | undefined {
  if (!(failed instanceof Failed)) return undefined;
  const { error } = failed;
  const code = codeOf(error);
  // The driver's own errors have Node's codes, or none; only a report of the server has a severity.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return undefined;
  return typeof error === 'object' && error !== null && 'severity' in error ? code : undefined;
}

/** The code of an error: of PostgreSQL, Node or the driver. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says. */
export function text(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  // The message is empty if several addresses of a host were tried.
  const { message, errors } = error as Error & { readonly errors?: unknown };
  return message === '' && Array.isArray(errors) ? errors.map(text).join('; ') : message;
}

/** Whether the server is gone, or ended the connection: what only reads can be sent again on another connection. */
export function isLost(error: unknown): error is Failed {
  if (!(error instanceof Failed)) return false;
  const state = sqlState(error);
  return state === undefined || /^08|^57P0|^25P0[34]/.test(state);
}

/** Whether a setting of the role or the database may have stopped it: with our own settings it may succeed. */
export function isCutShort(error: unknown): error is Failed {
  const state = sqlState(error);
  return state === CANCELLED || state === TRANSACTION_TIMEOUT || state === SERIALIZATION;
}

/** Whether a table, function or schema that a statement names is missing. */
export function isMissing(error: unknown): error is Failed {
  return /^42P01$|^42883$|^3F000$/.test(sqlState(error) ?? '');
}

/** Whether another server has just made the schema or the table that was to be made. */
export function isMadeMeanwhile(error: unknown): boolean {
  return /^23505$|^42P0[67]$/.test(sqlState(error) ?? '');
}

/** Whether PostgreSQL says that what is stored is damaged, or that a part of it is missing or changed. */
export function isDamage(failed: Failed): boolean {
  return /^42P01$|^42703$|^42883$|^42804$|^22|^23|^XX00[12]$/.test(sqlState(failed) ?? '');
}

/** Whether a text can't be stored: it is too long, or has characters that PostgreSQL doesn't take. */
export function isTextRefused(failed: Failed): boolean {
  return /^54000$|^22021$|^22P05$/.test(sqlState(failed) ?? '');
}

/** Whether the connection failed before anything was sent that could have been stored. */
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

export function isBadTls(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return (
    /^ERR_(TLS|SSL)|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code) || /does not support SSL/.test(text(error))
  );
}

/** There is no password, or the function for it gives none: the driver checks that. */
export function isBadPassword(error: unknown): boolean {
  return /password must be a/.test(text(error));
}
