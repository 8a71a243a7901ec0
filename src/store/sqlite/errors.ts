/**
 * Turns errors of SQLite and of the file system into errors of ours: no other error reaches a caller.
 *
 * SQLite's result codes: https://www.sqlite.org/rescode.html; the low byte is the primary code.
 */
import {
  Closed,
  isTidemarkError,
  LogCorrupt,
  NotALog,
  NotWritable,
  StoreUnavailable,
  type TidemarkError,
} from '../../errors.ts';

export { corrupt } from '../corrupt.ts';

/** For many mistakes of a statement, also for a table that doesn't exist. */
const ERROR = 1;
const LACKING = /^no such (table|column|index)|has no column/;
const PERM = 3;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const CONSTRAINT = 19;
const AUTH = 23;
const NOTADB = 26;

/** No room for the index of the write-ahead log (`-shm`), which opening a log needs first. */
const IOERR_SHMSIZE = 4874;
const CONSTRAINT_PRIMARYKEY = 1555;
const CONSTRAINT_UNIQUE = 2067;

function resultCode(error: unknown): number | undefined {
  if (!Error.isError(error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}

function primaryCode(error: unknown): number | undefined {
  const code = resultCode(error);
  return code === undefined ? undefined : code & 0xff;
}

function text(error: unknown): string {
  return Error.isError(error) ? error.message : String(error);
}

function isOneOf(...codes: readonly number[]): (error: unknown) => boolean {
  return (error) => codes.includes(primaryCode(error) ?? -1);
}

/** Whether another connection stood in the way: the same call may succeed a moment later. */
export const isBusy = isOneOf(BUSY, LOCKED, PROTOCOL);
/** Whether SQLite found the file to be damaged. */
export const isDamage = isOneOf(CORRUPT, NOTADB);
/** Whether a write was refused because the connection, or the disk, is only for reading. */
export const isReadOnly = isOneOf(READONLY);
/** Whether a file could not be opened, or made. */
export const isUnopened = isOneOf(CANTOPEN);
/** Whether the file doesn't begin as a database of SQLite does. */
export const isNoDatabase = isOneOf(NOTADB);

/** Whether there is already a row with the same key. */
export function isTaken(error: unknown): boolean {
  const code = resultCode(error);
  return code === CONSTRAINT_UNIQUE || code === CONSTRAINT_PRIMARYKEY;
}

/** Whether reading the file stopped because of what the file holds, and for no other reason. */
export function stopsAtDamage(error: unknown): boolean {
  const lacksPart = primaryCode(error) === ERROR && /^no such (table|column)\b/.test(text(error));
  return isDamage(error) || isOutOfRange(error) || lacksPart;
}

function isFull(error: unknown): boolean {
  return primaryCode(error) === FULL || resultCode(error) === IOERR_SHMSIZE;
}

/** An error of SQLite, or of its binding, while the log was in use. Errors of ours stay as they are. */
export function translated(error: unknown, file: string): TidemarkError {
  if (isTidemarkError(error)) return error;
  const why = text(error);
  const details = { file, sqlite: resultCode(error), cause: why };
  const unavailable = (message: string): TidemarkError => new StoreUnavailable(message, details, error);
  const damaged = (what: string, advice = 'Stop writing, keep the file'): TidemarkError =>
    new LogCorrupt(`${file} ${what}. ${advice}, and restore a copy beside it.`, details, error);
  if (isFull(error)) {
    return unavailable(
      `Nothing can be added to ${file}, or to SQLite's temporary files: the disk is full. Free some space and try again.`,
    );
  }
  switch (primaryCode(error)) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return lockTimeout(file, undefined, error);
    case IOERR:
    case CANTOPEN:
      return unavailable(`The machine could not read or write ${file} (${why}). Check the disk, then try again.`);
    case READONLY:
    case PERM:
    case AUTH:
      return notWritable(file, error);
    case CORRUPT:
    case NOTADB:
    case CONSTRAINT:
      return damaged(`is damaged (${why})`);
    case ERROR:
      if (LACKING.test(why)) return damaged(`is marked as a log but lacks a part of one (${why})`, 'Keep the file');
      break;
    default:
  }
  if (isOutOfRange(error)) return damaged('is damaged: it holds a number that no log has');
  return unavailable(`${file} could not be used (${why}). Open the log again.`);
}

/** The same while opening, where a file that can't be opened is a matter of permissions. */
export function translatedAtOpen(error: unknown, file: string): TidemarkError {
  return primaryCode(error) === CANTOPEN ? notWritable(file, error) : translated(error, file);
}

// The binding refuses integers above 2^53. Only damage can have made one.
function isOutOfRange(error: unknown): boolean {
  return Error.isError(error) && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}

export function notWritable(file: string, cause?: unknown): NotWritable {
  const why = cause === undefined ? '' : ` (${text(cause)})`;
  return new NotWritable(
    `${file} can't be written by this process${why}. Give its user permission to write the file and its directory, ` +
      'or choose another place.',
    { file },
    cause,
  );
}

/** The log was opened with `readOnly`. */
export function openedForReading(file: string): NotWritable {
  return new NotWritable(
    `${file} was opened for reading (readOnly). Nothing was stored: write to it with a session that isn't readOnly.`,
    { file, readOnly: true },
  );
}

/** The log was opened with `readOnly`, and these collections aren't registered as they are in code. */
export function notRegistered(file: string, collections: readonly string[]): NotWritable {
  return new NotWritable(
    `${file} was opened for reading (readOnly), and ${collections.join(', ')} isn't registered in it as in this ` +
      'code. Open it once without readOnly, with these collections, or leave them out.',
    { file, readOnly: true, collections },
  );
}

export function notALog(file: string, what: string): NotALog {
  return new NotALog(`${file} is ${what}, not a log. It was left as it is: choose another name.`, { file });
}

export function unreadable(file: string, cause: unknown): StoreUnavailable {
  return new StoreUnavailable(
    `${file} can't be read by this process (${text(cause)}). Give its user permission to read the file.`,
    { file },
    cause,
    false,
  );
}

export function lockTimeout(file: string, waitedMs?: number, cause?: unknown): StoreUnavailable {
  const wait = waitedMs === undefined ? '' : ` for ${Math.round(waitedMs)} ms`;
  return new StoreUnavailable(
    `Another process has held the lock of ${file}${wait}. Nothing was stored: try again, or find what holds it.`,
    { file, waitedMs },
    cause,
  );
}

function remedy(error: unknown): string {
  if (isFull(error)) return 'Free some space, then';
  return primaryCode(error) === IOERR ? 'Check the disk and its quota, then' : 'Find out why, then';
}

/** For a COMMIT that failed: after a crash the write-ahead log may still bring it back. */
export function unknownCommit(error: unknown, file: string): StoreUnavailable {
  return new StoreUnavailable(
    `It isn't known whether the commit to ${file} was stored (${text(error)}). ${remedy(error)} send the same commands ` +
      'again with the same ids: they are stored once.',
    { file, sqlite: resultCode(error), cause: text(error), unknown: true },
    error,
  );
}

export function closed(file: string): Closed {
  return new Closed(`The session on ${file} was closed. Open the log again to use it.`, { file });
}
