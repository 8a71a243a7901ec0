/**
 * Looks at the place before SQLite does: what isn't a log is refused without being opened, so that nothing of it is
 * touched (SQLite would recover, checkpoint or delete files beside it).
 *
 * This is enough to tell a log from anything else because a log is made in one rollback-journal transaction that also
 * writes our mark into the first page (schema.ts): the file has no bytes, or it has the mark.
 */
import { accessSync, constants, existsSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  FormatTooNew,
  isTidemarkError,
  LogCorrupt,
  NotALog,
  NotWritable,
  StoreUnavailable,
  type TidemarkError,
} from '../../errors.ts';
import { connectForReading, single } from './connection.ts';
import { isNoDatabase, notWritable, translatedAtOpen, unreadable } from './errors.ts';
import { APPLICATION_ID, FORMAT } from './schema.ts';

/** Most links that are followed from one to the next, as on Linux. */
const LINKS_MAX = 40;

/**
 * Where a path leads, all links followed, though the file at its end may not exist yet: SQLite's files stand beside the
 * real file, not beside a link to it. A path that leads nowhere is given back as it is, for `inspect` to refuse.
 */
export function realPlace(path: string): string {
  let place = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    try {
      return realpathSync(place);
    } catch {
      // It may still be a link, to a file that doesn't exist yet.
    }
    try {
      place = join(realpathSync(dirname(place)), basename(place));
    } catch {
      return place;
    }
    try {
      place = resolve(dirname(place), readlinkSync(place));
    } catch {
      return place;
    }
  }
  return path;
}

/**
 * Throws `NotWritable`, `NotALog`, `FormatTooNew` or `LogCorrupt` unless there is a log at `file`, or one can be made
 * there. `file` is a real place.
 */
export function inspect(file: string): void {
  mayWrite(file, lookAt(file));
  const found = formatAt(file);
  if (typeof found === 'number') refuseNewer(file, found);
}

/**
 * Throws unless there is a log at `file` that can be read: as {@link inspect}, `NotWritable` for one of an older format,
 * `StoreUnavailable` for one that isn't finished. `file` is a real place.
 */
export function inspectForReading(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    if (lookAt(file) !== undefined || !existsSync(dirname(file))) throw unreadable(file, error);
  }
  const found = formatAt(file);
  if (found === undefined) {
    throw new NotALog(
      `There is no log at ${file}, and one opened for reading isn't made. Open it once without readOnly.`,
      {
        file,
      },
    );
  }
  if (found === 'unfinished') {
    throw new StoreUnavailable(
      `${file} isn't finished: a process makes the log just now, or was cut short. Try again, or open it once without readOnly.`,
      { file },
    );
  }
  refuseNewer(file, found);
  if (found === FORMAT) return;
  throw new NotWritable(
    `${file} is a log of format ${found}, and must be brought to format ${FORMAT} first. Open it once without readOnly.`,
    { file, format: found, supported: FORMAT },
  );
}

/**
 * The format of the log at a file; undefined if there is nothing yet, `unfinished` if only SQLite can tell.
 *
 * @throws NotALog, LogCorrupt
 */
function formatAt(file: string): number | 'unfinished' | undefined {
  let stats = lookAt(file);
  if ((stats === undefined || stats.size === 0) && hasBytes(`${file}-wal`)) {
    // While a log is made its file has bytes before there is a write-ahead log: unless it was made just now, it is lost.
    stats = lookAt(file);
    if (stats === undefined || stats.size === 0) throw headless(file, stats === undefined ? 'is missing' : 'is empty');
  }
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw notALog(file, stats.isDirectory() ? 'a directory' : 'no regular file');
  if (stats.size === 0) return undefined;

  // With a journal beside it the log is being made, or a crash cut that short and SQLite goes back to no bytes: either
  // way only SQLite can tell, under its locks. If the journal has gone since, whoever made the log is done: look again.
  const unfinished = () => existsSync(`${file}-journal`);
  let header = readHeader(file);
  if (isTidemarkError(header) && !unfinished()) header = readHeader(file);
  if (isTidemarkError(header)) {
    if (unfinished()) return 'unfinished';
    throw header;
  }
  if (header.applicationId !== APPLICATION_ID) throw notALog(file, 'an SQLite database of another kind');
  return header.format;
}

/** Throws `FormatTooNew` if the log was written by a later version of ours. */
export function refuseNewer(file: string, format: number): void {
  if (format <= FORMAT) return;
  throw new FormatTooNew(
    `${file} is a log of format ${format}, and this version reads formats up to ${FORMAT}. Upgrade the package.`,
    { file, format, supported: FORMAT },
  );
}

export function notALog(file: string, what: string): NotALog {
  return new NotALog(`${file} is ${what}, not a log. It was left as it is: choose another name.`, { file });
}

// SQLite would take the write-ahead log for a leftover, and delete it.
function headless(file: string, what: string): LogCorrupt {
  return new LogCorrupt(
    `${file} ${what}, but ${file}-wal beside it holds commits. Neither was touched: put the file back that belongs to ` +
      `it, or, to start a new log without those commits, move ${file}-wal away.`,
    { file, wal: `${file}-wal` },
  );
}

function hasBytes(file: string): boolean {
  return (lookAt(file)?.size ?? 0) > 0;
}

function lookAt(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw notWritable(file, error);
  }
}

function mayWrite(file: string, stats: Stats | undefined): void {
  const directory = dirname(file);
  if (!existsSync(directory)) {
    throw new NotWritable(`The directory ${directory} doesn't exist. Make it first, or choose another place.`, {
      file,
    });
  }
  try {
    // The directory too: SQLite keeps its write-ahead log beside the file.
    accessSync(directory, constants.W_OK | constants.X_OK);
    if (stats?.isFile()) accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw notWritable(file, error);
  }
}

/**
 * Application id and user version in the first page, or what is wrong with it.
 *
 * SQLite reads it, as `immutable`: no lock, no journal, no file beside it. Reading the bytes ourselves would do harm:
 * closing a file drops every lock that this process has on it (POSIX), those of open sessions too.
 *
 * The first page may say that the file has more pages than it has: so it is in the middle of a checkpoint, and after one
 * that a kill or a full disk cut short; the rest is in the write-ahead log. `writable_schema` makes SQLite put up with
 * that. Only the mark is asked for here, and it is older than any write-ahead log; a file that was really cut off is
 * noticed when it is opened in earnest.
 */
function readHeader(file: string): { applicationId: number; format: number } | TidemarkError {
  const database = connectForReading(file, true);
  try {
    database.exec('PRAGMA writable_schema = ON');
    return {
      applicationId: single<number>(database, 'PRAGMA application_id'),
      format: single<number>(database, 'PRAGMA user_version'),
    };
  } catch (error) {
    return isNoDatabase(error) ? notALog(file, 'no SQLite database') : translatedAtOpen(error, file);
  } finally {
    database.close();
  }
}
