/** Opens the log at a place, or makes it there. Two processes may do this at once. */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { platform } from 'node:os';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { LogCorrupt, NotWritable } from '../../../errors.ts';
import type { Session } from '../../store.ts';
import { connect, setUp, single } from './connection.ts';
import { notALog, translatedAtOpen } from '../errors.ts';
import { Flushing } from './flushing.ts';
import { stillThere } from './still-there.ts';
import { whenFree } from '../writing/lock.ts';
import { inspect, isWithoutWal, realPlace, refuseNewer, withoutWal } from './log-file.ts';
import { APPLICATION_ID, FORMAT, isIncomplete, MARK_INCOMPLETE, marks, migrate, UNMARK_INCOMPLETE } from '../schema.ts';
import { SqliteSession, type SessionOptions } from '../session.ts';
import type { Synchronous } from './synchronous.ts';

export type OpenOptions = Omit<SessionOptions, 'file' | 'inPlace' | 'settled'>;

/**
 * `path` is absolute.
 *
 * @throws NotWritable, NotALog, FormatTooNew, LogCorrupt, StoreUnavailable
 */
export async function openSession(
  path: string,
  { synchronous, ...options }: OpenOptions & { readonly synchronous: Synchronous },
): Promise<Session> {
  const file = realPlace(path);
  inspect(file);
  const opened: DatabaseSync[] = [];
  const patiently = <T>(attempt: () => T): Promise<T> =>
    whenFree(attempt, { file, lockTimeoutMs: options.lockTimeoutMs });
  try {
    const writer = connect(file);
    opened.push(writer);
    await patiently(() => setUp(writer));
    const isNew = await patiently(() => prepareFile(writer, file));
    const mode = await patiently(() => single<string>(writer, 'PRAGMA journal_mode = WAL'));
    if (mode !== 'wal') {
      const problem = `The file system of ${file} can't hold a write-ahead log. Choose a place on a local disk.`;
      throw new NotWritable(problem, { file, mode });
    }
    const flushing = await patiently(() => new Flushing(writer, synchronous));
    const reader = connect(file);
    opened.push(reader);
    await patiently(() => setUp(reader));
    reader.exec('PRAGMA query_only = ON');
    // The first read takes part in recovering the log after a crash.
    const read = (): unknown => single(reader, 'SELECT count(*) FROM meta');
    await patiently(read);
    if (isNew) {
      await patiently(() => writer.exec(MARK_INCOMPLETE));
      // A reader keeps the write-ahead log from starting again. A server that is killed while it starts it again leaves a
      // write-ahead log without commits: others that open the log then would take it for damaged.
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
    const inPlace = stillThere(path, file, reader);
    // Preparing statements reads the file: another process may just be closing the log.
    return await patiently(
      () => new SqliteSession({ database: writer, flushing }, reader, { ...options, file: path, inPlace }),
    );
  } catch (error) {
    for (const connection of opened) connection.close();
    throw translatedAtOpen(error, file);
  }
}

/**
 * From here on the write-ahead log says that the log is whole. The file alone says so after a checkpoint. A crash just before
 * leaves the mark in both, and the next process that opens the log removes it. Under the lock: while another process removes
 * the mark, the file would seem to be alone.
 */
function complete(writer: DatabaseSync, assertWhole?: () => void): void {
  if (!isIncomplete(writer)) return;
  underLock(writer, () => {
    assertWhole?.();
    writer.exec(UNMARK_INCOMPLETE);
  });
}

function underLock<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Makes the tables if there are none, and migrates an older format. Returns whether the log is new. */
function prepareFile(database: DatabaseSync, file: string): boolean {
  const before = marks(database);
  if (before.applicationId === APPLICATION_ID && before.format === FORMAT) return false;
  const isNew = underLock(database, () => {
    // Again under the lock: another process may have done it meanwhile.
    const { applicationId, format, empty } = marks(database);
    if (applicationId !== APPLICATION_ID && !empty) throw notALog(file, 'an SQLite database of another kind');
    refuseNewer(file, format);
    if (applicationId === APPLICATION_ID && format < 1) {
      const problem = `${file} is marked as a log, but has no format. Keep it, and restore a copy beside it.`;
      throw new LogCorrupt(problem, { file, format });
    }
    migrate(database, format);
    return format === 0;
  });
  flushDirectory(file);
  return isNew;
}

// The name of a new file is durable only once its directory is.
function flushDirectory(file: string): void {
  if (platform() === 'win32') return;
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
