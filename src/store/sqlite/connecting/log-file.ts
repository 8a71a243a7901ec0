/**
 * Looks at the place before SQLite does: what isn't a log is refused without being opened, so nothing of it changes (SQLite
 * would recover, checkpoint or delete files beside it).
 *
 * A log is made in one rollback-journal transaction that also writes our mark into the first page (schema.ts): the file has
 * no bytes, or it has the mark. So the mark is enough to tell a log from anything else.
 */
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { FormatTooNew, isTidemarkError, LogCorrupt, NotALog, NotWritable, StoreUnavailable } from '../../../errors.ts';
import { notALog, notWritable, unreadable } from '../errors.ts';
import { readHeader } from './header.ts';
import { Wal, WAL_HEADER } from './wal.ts';
import { APPLICATION_ID, FORMAT, isIncomplete } from '../schema.ts';

/** Most links in a chain, as on Linux. */
const LINKS_MAX = 40;

/**
 * Where a path leads through all links, though the file at the end may not exist yet: SQLite's files are beside the real file,
 * not beside a link. A path that leads nowhere is returned as it is, and `inspect` refuses it.
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
  mayWrite(file, statsOrThrow(file));
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
    if (statsOrThrow(file) !== undefined || !existsSync(dirname(file))) throw unreadable(file, error);
  }
  const found = formatAt(file);
  if (found === undefined) {
    const problem = `There is no log at ${file}, and readOnly makes none. Open it once without readOnly.`;
    throw new NotALog(problem, { file });
  }
  if (found === 'unfinished') {
    throw new StoreUnavailable(
      `${file} isn't finished: a process is making the log, or was stopped. Try again, or open it once without readOnly.`,
      { file },
    );
  }
  refuseNewer(file, found);
  if (found === FORMAT) return;
  throw new NotWritable(
    `${file} is a log of format ${found}, and must be migrated to format ${FORMAT} first. Open it once without readOnly.`,
    { file, format: found, supported: FORMAT },
  );
}

/**
 * The format of the log at a file; undefined if there is nothing yet, `unfinished` if only SQLite can tell.
 *
 * @throws NotALog, LogCorrupt
 */
function formatAt(file: string): number | 'unfinished' | undefined {
  let stats = statsOrThrow(file);
  if ((stats === undefined || stats.size === 0) && bytesOf(`${file}-wal`) > 0) {
    // The file of a log has bytes before it has a write-ahead log: if the log was just made, it has them now.
    stats = statsOrThrow(file);
    if (stats === undefined || stats.size === 0) throw headless(file, stats === undefined ? 'is missing' : 'is empty');
  }
  if (stats === undefined) return undefined;
  if (!stats.isFile()) throw notALog(file, stats.isDirectory() ? 'a directory' : 'no regular file');
  if (stats.size === 0) return undefined;

  // With a journal beside it, the log is being made, or a crash stopped that and SQLite will go back to no bytes: only
  // SQLite can tell, under its locks. If the journal has gone meanwhile, the log is made: look again.
  const unfinished = () => existsSync(`${file}-journal`);
  let header = readHeader(file);
  if (isTidemarkError(header) && !unfinished()) header = readHeader(file);
  if (isTidemarkError(header)) {
    if (unfinished()) return 'unfinished';
    throw header;
  }
  if (header.unmarked) throw unmarked(file);
  if (header.applicationId !== APPLICATION_ID) throw notALog(file, 'an SQLite database of another kind');
  // If the write-ahead log has gone meanwhile, it was copied into the file: look again.
  const isAlone = (): boolean => !isTidemarkError(header) && header.incomplete && bytesOf(`${file}-wal`) < WAL_HEADER;
  if (isAlone()) header = readHeader(file);
  if (isAlone()) throw withoutWal(file);
  if (stats.nlink > 1) throw linked(file, stats.nlink);
  if (isMountPoint(file)) throw mountedAlone(file);
  return isTidemarkError(header) ? 'unfinished' : header.format;
}

/** Throws `FormatTooNew` if a later version of the package wrote the log. */
export function refuseNewer(file: string, format: number): void {
  if (format <= FORMAT) return;
  throw new FormatTooNew(
    `${file} is a log of format ${format}, and this version reads formats up to ${FORMAT}. Upgrade the package.`,
    { file, format, supported: FORMAT },
  );
}

// SQLite would delete the write-ahead log.
function headless(file: string, what: string): LogCorrupt {
  return new LogCorrupt(
    `${file} ${what}, but ${file}-wal beside it holds commits. Nothing was changed: put the file back that belongs to ` +
      `it. Or, to start a new log without those commits, move ${file}-wal away.`,
    { file, wal: `${file}-wal` },
  );
}

/**
 * Whether a connection sees only the first file of the log: the write-ahead log beside it belongs to another log, or is
 * damaged. It also looks like this for a moment while the process that makes the log removes the mark: only with the write
 * lock held it is certain. No transaction may be open on `connection`.
 */
export function isWithoutWal(connection: DatabaseSync): boolean {
  return isIncomplete(connection) && new Wal(connection).frames() === 0;
}

export function withoutWal(file: string): LogCorrupt {
  return new LogCorrupt(
    `${file} is only a part of a log: its commits are in its write-ahead log, which isn't at ${file}-wal or is damaged. The file ` +
      'was copied or moved alone. Put its write-ahead log beside it, or restore a copy that SQLite has made (VACUUM INTO, ' +
      'backup(): see docs/how-to/back-up-sqlite.md). To start a new log, remove the file.',
    { file, wal: `${file}-wal` },
  );
}

/** As `.dump` leaves a log. */
function unmarked(file: string): NotALog {
  return new NotALog(
    `${file} has the tables of a log, but not its mark: a dump that was put back, as dumps hold no marks. It was left as it is. If ` +
      `the dump was whole, mark it, open it and run verify: sqlite3 '${file}' 'PRAGMA application_id = ${APPLICATION_ID}; ` +
      `PRAGMA user_version = ${FORMAT}'`,
    { file, format: FORMAT },
  );
}

function linked(file: string, names: number): NotWritable {
  return new NotWritable(
    `${file} has ${names} names (hard links). SQLite keeps the newest commits beside the name that was opened: servers that use ` +
      `another name would miss them, and damage the log. Remove the other names (find / -samefile '${file}'). To make a backup, ` +
      'use VACUUM INTO or backup() (docs/how-to/back-up-sqlite.md).',
    { file, names },
  );
}

function mountedAlone(file: string): NotWritable {
  return new NotWritable(
    `${file} is mounted alone. SQLite keeps the newest commits in files beside it, which other processes would not find. Mount ` +
      'its directory.',
    { file },
  );
}

/** Whether the file itself was mounted, as into a container. Only Linux says. */
function isMountPoint(file: string): boolean {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return false;
  }
  // Spaces and the like are written as octal digits there.
  const escaped = file.replaceAll(/[\s\\]/g, (unit) => `\\${unit.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return mounts.includes(` ${escaped} `);
}

function bytesOf(file: string): number {
  return statsOrThrow(file)?.size ?? 0;
}

function statsOrThrow(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw notWritable(file, error);
  }
}

function mayWrite(file: string, stats: Stats | undefined): void {
  const directory = dirname(file);
  if (!existsSync(directory)) {
    const problem = `The directory ${directory} doesn't exist. Make it first, or choose another place.`;
    throw new NotWritable(problem, { file });
  }
  try {
    // The directory too: SQLite keeps its write-ahead log beside the file.
    accessSync(directory, constants.W_OK | constants.X_OK);
    if (stats?.isFile()) accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw notWritable(file, error);
  }
}
