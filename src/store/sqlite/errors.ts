/**
 * What SQLite and the file system say, told as errors of ours: the one place where it is decided, so that nothing else
 * reaches a caller.
 *
 * SQLite's result codes are at https://www.sqlite.org/rescode.html; the low byte is the primary code.
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

/** Said of much that is wrong with a statement: also of one on a table that isn't there. */
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

/** No room for the index of the write-ahead log (`-shm`), which is the first thing that opening a log needs. */
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

/** Whether another connection stood in the way: the same call may succeed a moment later. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === BUSY || code === LOCKED || code === PROTOCOL;
}

/** Whether a row with the same key is there already. */
export function isTaken(error: unknown): boolean {
  const code = resultCode(error);
  return code === CONSTRAINT_UNIQUE || code === CONSTRAINT_PRIMARYKEY;
}

/** Whether SQLite found the file to be damaged. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** Whether a look at the file could not go on because of what the file holds. Nothing else that stops it says so. */
export function stopsAtDamage(error: unknown): boolean {
  const lacksPart = primaryCode(error) === ERROR && /^no such (table|column)\b/.test(text(error));
  return isDamage(error) || isOutOfRange(error) || lacksPart;
}

/** Whether a write was refused because the connection, or the disk, is only for reading. */
export function isReadOnly(error: unknown): boolean {
  return primaryCode(error) === READONLY;
}

/** Whether a file could not be opened, or made. */
export function isUnopened(error: unknown): boolean {
  return primaryCode(error) === CANTOPEN;
}

/** Whether the file doesn't begin as a database of SQLite does. */
export function isNoDatabase(error: unknown): boolean {
  return primaryCode(error) === NOTADB;
}

function isFull(error: unknown): boolean {
  return primaryCode(error) === FULL || resultCode(error) === IOERR_SHMSIZE;
}

/** An error of SQLite (or of its binding), met while the log was in use. Ours pass through as they are. */
export function translated(error: unknown, file: string): TidemarkError {
  if (isTidemarkError(error)) return error;
  const details = { file, sqlite: resultCode(error), cause: text(error) };
  if (isFull(error)) {
    return new StoreUnavailable(
      `Nothing can be added to ${file}, or to SQLite's temporary files: the disk is full. Free some space and try again.`,
      details,
      error,
    );
  }
  switch (primaryCode(error)) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return lockTimeout(file, undefined, error);
    case IOERR:
    case CANTOPEN:
      return new StoreUnavailable(
        `The machine could not read or write ${file} (${text(error)}). Check the disk, then try again.`,
        details,
        error,
      );
    case READONLY:
    case PERM:
    case AUTH:
      return notWritable(file, error);
    case CORRUPT:
    case NOTADB:
    case CONSTRAINT:
      return new LogCorrupt(
        `${file} is damaged (${text(error)}). Stop writing, keep the file, and restore a copy beside it.`,
        details,
        error,
      );
    case ERROR:
      if (!LACKING.test(text(error))) break;
      return new LogCorrupt(
        `${file} is marked as a log but lacks a part of one (${text(error)}). Keep the file, and restore a copy beside it.`,
        details,
        error,
      );
    default:
  }
  if (isOutOfRange(error)) {
    return new LogCorrupt(
      `${file} is damaged: it holds a number that no log has. Stop writing, keep the file, and restore a copy beside it.`,
      details,
      error,
    );
  }
  return new StoreUnavailable(`${file} could not be used (${text(error)}). Open the log again.`, details, error);
}

/** The same while opening: there, what can't be opened or written is a matter of permissions. */
export function translatedAtOpen(error: unknown, file: string): TidemarkError {
  return primaryCode(error) === CANTOPEN ? notWritable(file, error) : translated(error, file);
}

// The binding refuses integers beyond 2^53, which only damage can have put there.
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
    `${file} was opened for reading (readOnly). Nothing was stored: write to it in a process that opens it without that.`,
    { file, readOnly: true },
  );
}

/** And these collections aren't registered as they are. */
export function notRegistered(file: string, collections: readonly string[]): NotWritable {
  return new NotWritable(
    `${file} was opened for reading (readOnly), and ${collections.join(', ')} isn't registered with it as it is ` +
      'here. Open it once without readOnly, with these collections, or leave them out.',
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
  return primaryCode(error) === IOERR ? 'Check the disk, and how much it may hold, then' : 'Find out why, then';
}

/** A COMMIT that failed: after a crash the write-ahead log may bring it back all the same. */
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
