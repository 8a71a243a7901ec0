/** Opens the log at a place, or makes it there; two processes may do so at once. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { platform } from 'node:os';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { LogCorrupt, NotWritable } from '../../../errors.ts';
import { connect, setUp, single } from './connection.ts';
import { lockTimeout, notALog, translatedAtOpen } from '../errors.ts';
import { stillThere } from './still-there.ts';
import { whenFree } from '../writing/lock.ts';
import { inspect, isWithoutWal, realPlace, refuseNewer, withoutWal } from './log-file.ts';
import { APPLICATION_ID, FORMAT, isIncomplete, MARK_INCOMPLETE, marks, migrate, UNMARK_INCOMPLETE } from '../schema.ts';
import type { Synchronous } from './synchronous.ts';

const LEVELS: Readonly<Record<Synchronous, number>> = { off: 0, normal: 1, full: 2 };

export interface Connections {
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
  /** Throws `StoreUnavailable` if other files, or none, stand where the log was opened. */
  readonly inPlace: () => void;
}

/** `path` is absolute. Throws `NotWritable`, `NotALog`, `FormatTooNew`, `LogCorrupt` or `StoreUnavailable`. */
export async function openAt(path: string, synchronous: Synchronous, lockTimeoutMs: number): Promise<Connections> {
  const file = realPlace(path);
  inspect(file);
  const opened: DatabaseSync[] = [];
  const patiently = <T>(attempt: () => T): Promise<T> =>
    whenFree(attempt, lockTimeoutMs, (waitedMs) => lockTimeout(file, waitedMs));
  try {
    const writer = connect(file);
    opened.push(writer);
    await patiently(() => setUp(writer));
    const isNew = await patiently(() => prepareFile(writer, file));
    const mode = await patiently(() => single<string>(writer, 'PRAGMA journal_mode = WAL'));
    if (mode !== 'wal') {
      throw new NotWritable(
        `The file system of ${file} can't hold a write-ahead log. Choose a place on a local disk.`,
        { file, mode },
      );
    }
    await patiently(() => flushLevel(writer, synchronous));
    const reader = connect(file);
    opened.push(reader);
    await patiently(() => setUp(reader));
    reader.exec('PRAGMA query_only = ON');
    // The first read takes part in recovering the log after a crash.
    const read = (): unknown => single(reader, 'SELECT count(*) FROM meta');
    await patiently(read);
    if (isNew) {
      await patiently(() => writer.exec(MARK_INCOMPLETE));
      // Who reads keeps the write-ahead log from beginning anew. A server that is killed while it does so leaves it without
      // commits, as if it were another's: whoever opens the log meanwhile would take it for damaged.
      reader.exec('BEGIN');
      await patiently(read);
      await patiently(() => writer.exec('PRAGMA wal_checkpoint(PASSIVE)'));
      await patiently(() => complete(writer));
      reader.exec('COMMIT');
    } else {
      await patiently(() =>
        complete(writer, () => {
          if (isWithoutWal(reader)) throw withoutWal(file);
        }),
      );
    }
    return { writer, reader, inPlace: stillThere(path, file, reader) };
  } catch (error) {
    for (const connection of opened) connection.close();
    throw translatedAtOpen(error, file);
  }
}

/**
 * From here on the write-ahead log says that all is there, and the file alone doesn't, until it takes that in. A crash just
 * before leaves the mark in both, and the next to open the log takes it away. Under the lock: in the middle of another's
 * taking it away, the file would seem to be alone.
 */
function complete(writer: DatabaseSync, assertWhole?: () => void): void {
  if (!isIncomplete(writer)) return;
  writer.exec('BEGIN IMMEDIATE');
  try {
    assertWhole?.();
    writer.exec(UNMARK_INCOMPLETE);
    writer.exec('COMMIT');
  } catch (error) {
    if (writer.isTransaction) writer.exec('ROLLBACK');
    throw error;
  }
}

/** Makes the tables if there are none, and brings an older format up to date. Says whether the log is new. */
function prepareFile(database: DatabaseSync, file: string): boolean {
  const before = marks(database);
  if (before.applicationId === APPLICATION_ID && before.format === FORMAT) return false;
  let isNew: boolean;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Under the lock: another process may have done it since.
    const { applicationId, format, empty } = marks(database);
    if (applicationId !== APPLICATION_ID && !empty) throw notALog(file, 'an SQLite database of another kind');
    refuseNewer(file, format);
    if (applicationId === APPLICATION_ID && format < 1) {
      throw new LogCorrupt(`${file} is marked as a log, but of no format. Keep it, and restore a copy beside it.`, {
        file,
        format,
      });
    }
    migrate(database, format);
    database.exec('COMMIT');
    isNew = format === 0;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
  flushDirectory(file);
  return isNew;
}

/** Law 7 rests on it, so it is read back. */
function flushLevel(database: DatabaseSync, synchronous: Synchronous): void {
  // On macOS only `fullfsync` reaches the disk itself; elsewhere it changes nothing.
  const platter = synchronous === 'full' ? 'ON' : 'OFF';
  database.exec(
    `PRAGMA synchronous = ${synchronous}; PRAGMA fullfsync = ${platter}; PRAGMA checkpoint_fullfsync = ${platter}`,
  );
  const level = single<number>(database, 'PRAGMA synchronous');
  if (level === LEVELS[synchronous]) return;
  throw new NotWritable(`SQLite flushes at level ${level}, not at ${synchronous} as asked for.`, { level });
}

// The name of a new file is durable only when its directory is.
function flushDirectory(file: string): void {
  if (platform() === 'win32') return;
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
