/**
 * Opens the log at a path to read it, and nothing else: also on a disk that can't be written, and while others write.
 *
 * While nobody has the log open its first file is all there is of it: it is read as it stands, without a lock and without
 * the files that SQLite keeps beside a log in use (`immutable`), so that nothing is written. Whether it still stands so is
 * asked after each answer: a writer that comes makes a write-ahead log, and one that has come and gone has changed the
 * file. An answer that was overtaken is dropped, and the log is opened anew.
 *
 * A log in use, or one whose servers crashed, has commits in its write-ahead log. SQLite reads them by way of `-shm`: of
 * one that is there, also where it can't be written, or of one that it makes.
 */
import { statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { NotWritable, StoreUnavailable } from '../../../errors.ts';
import type { LogPoint, Session } from '../../store.ts';
import { connectForReading, setUp } from './connection.ts';
import { isReadOnly, isUnopened, lockTimeout, translatedAtOpen } from '../errors.ts';
import { stillThere } from './still-there.ts';
import { whenFree } from '../writing/lock.ts';
import type { OpenOptions } from './open-session.ts';
import { inspectForReading, isWithoutWal, realPlace, withoutWal } from './log-file.ts';
import { SqliteSession } from '../session.ts';

/** The grain of a file's times is finer than this, in milliseconds: what was changed earlier shows when it is changed again. */
const GRAIN_MS = 20;
/** How often the log is opened while its writers come and go in between. */
const OPENINGS = 5;
/**
 * How often a file is looked at that seems to be a log's alone, and the pause between two looks, in milliseconds: while its
 * maker finishes it, it seems to be.
 */
const ALONE_LOOKS = 10;
const ALONE_PAUSE_MS = 50;

/** A session on the log as it was found. */
interface Opened {
  readonly session: Session;
  /** Whether it reads a log that stands still, and no longer does. */
  readonly overtaken: () => boolean;
}

/** `path` is absolute. */
export async function openForReading(path: string, options: Omit<OpenOptions, 'synchronous'>): Promise<Session> {
  let current = await openAt(path, options);
  let renewing: Promise<void> | undefined;
  let closed = false;

  const renew = async (overtaken: Opened): Promise<void> => {
    if (current !== overtaken) return;
    const next = await openAt(path, options);
    current = next;
    await overtaken.session.close();
    if (closed) await next.session.close();
  };
  const ask = async <T>(question: (session: Session) => Promise<T>): Promise<T> => {
    for (;;) {
      const asked = current;
      try {
        const answer = await question(asked.session);
        if (closed || !asked.overtaken()) return answer;
      } catch (error) {
        // What was read while somebody wrote may be anything.
        if (closed || !asked.overtaken()) throw error;
      }
      renewing ??= renew(asked).finally(() => (renewing = undefined));
      await renewing;
    }
  };

  return {
    readOnly: true,
    registry: () => ask((session) => session.registry()),
    register: (collections) => ask((session) => session.register(collections)),
    append: (batch) => current.session.append(batch),
    exclusive: (work) => current.session.exclusive(work),
    load: (requests, loading) => ask((session) => session.load(requests, loading)),
    read: (range, options) => ask((session) => session.read(range, options)),
    scan: (range, options) => ask((session) => session.scan(range, options)),
    commits: (range, options) => ask((session) => session.commits(range, options)),
    ledger: (ids, options) => ask((session) => session.ledger(ids, options)),
    types: (range) => ask((session) => session.types(range)),
    documents: (range) => ask((session) => session.documents(range)),
    moved: (from: LogPoint, signal) => ask((session) => session.moved(from, signal)),
    check: () => ask((session) => session.check()),
    async close() {
      closed = true;
      await renewing?.catch(() => undefined);
      await current.session.close();
    },
  };
}

async function openAt(path: string, options: Omit<OpenOptions, 'synchronous'>): Promise<Opened> {
  const file = realPlace(path);
  for (let openings = 1; ; openings += 1) {
    inspectForReading(file);
    const before = standing(file);
    try {
      return before === undefined ? await openInUse(path, file, options) : await openStanding(file, before, options);
    } catch (error) {
      // A writer has come, or gone, since the look.
      const changed = standing(file) !== before;
      if (changed && openings < OPENINGS) continue;
      if (before === undefined && (isUnopened(error) || isReadOnly(error))) throw withoutIndex(file, error);
      throw translatedAtOpen(error, file);
    }
  }
}

/** A log that nobody has open. */
async function openStanding(file: string, stands: string, options: Omit<OpenOptions, 'synchronous'>): Promise<Opened> {
  // What was changed this very moment might change once more and show the same time.
  await setTimeout(GRAIN_MS);
  const overtaken = (): boolean => standing(file) !== stands;
  const inPlace = (): void => {
    if (overtaken()) throw new StoreUnavailable(`${file} is written to: it is opened anew.`, { file });
  };
  return { session: await sessionOn(file, true, options, () => inPlace), overtaken };
}

async function openInUse(path: string, file: string, options: Omit<OpenOptions, 'synchronous'>): Promise<Opened> {
  const session = await sessionOn(file, false, options, (reader) => stillThere(path, file, reader));
  return { session, overtaken: () => false };
}

async function sessionOn(
  file: string,
  settled: boolean,
  options: Omit<OpenOptions, 'synchronous'>,
  watch: (reader: DatabaseSync) => () => void,
): Promise<Session> {
  const reader = connectForReading(file, settled);
  try {
    const make = (): Session | undefined => {
      setUp(reader);
      // The first read takes part in recovering the log after a crash.
      if (isWithoutWal(reader)) return undefined;
      return new SqliteSession(undefined, reader, { ...options, file, settled, inPlace: watch(reader) });
    };
    const { lockTimeoutMs } = options;
    for (let looks = 1; looks <= ALONE_LOOKS; looks += 1) {
      const session = await whenFree(make, lockTimeoutMs, (waitedMs) => lockTimeout(file, waitedMs));
      if (session) return session;
      await setTimeout(ALONE_PAUSE_MS);
    }
    throw withoutWal(file);
  } catch (error) {
    reader.close();
    throw error;
  }
}

/** How the file stands, if nobody has the log open; undefined if somebody has, or had when the machine stopped. */
function standing(file: string): string | undefined {
  const main = bigStatsOf(file);
  if (main === undefined || (bigStatsOf(`${file}-wal`)?.size ?? 0n) > 0n || bigStatsOf(`${file}-journal`))
    return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = main;
  return [dev, ino, size, mtimeNs, ctimeNs].join();
}

function bigStatsOf(file: string): BigIntStats | undefined {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    // A directory on the way was replaced by something else.
    return undefined;
  }
}

function withoutIndex(file: string, cause: unknown): NotWritable {
  return new NotWritable(
    `${file}-wal holds commits of the log, and can't be read here without ${file}-shm, which can't be made. Make it, empty, where ` +
      'the disk can be written; or copy the log with its -wal to such a place, and open it there once without readOnly.',
    { file, wal: `${file}-wal` },
    cause,
  );
}
