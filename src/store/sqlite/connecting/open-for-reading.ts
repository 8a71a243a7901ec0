/**
 * Opens the log at a path only to read it: also on a disk that can't be written, and while others write.
 *
 * While no process has the log open, its first file is the whole log: it is read as it is, without a lock and without the
 * files that SQLite keeps beside a log in use (`immutable`), so nothing is written. After each answer we look whether the file
 * is still the same: a new writer makes a write-ahead log, and one that has left again has changed the file. Then the answer
 * is dropped and the log opened again.
 *
 * A log in use, or one whose servers crashed, has commits in its write-ahead log. SQLite reads them with `-shm`: one that
 * exists, also if it can't be written, or one that SQLite makes.
 */
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { NotWritable, StoreUnavailable } from '../../../errors.ts';
import type { Session } from '../../store.ts';
import { connectForReading, setUp } from './connection.ts';
import { isReadOnly, isUnopened, translatedAtOpen } from '../errors.ts';
import { statsOf, stillThere } from './still-there.ts';
import { whenFree } from '../writing/lock.ts';
import type { OpenOptions } from './open.ts';
import { inspectForReading, isWithoutWal, realPlace, withoutWal } from './log-file.ts';
import { SqliteSession } from '../session.ts';

/** The times of a file are more exact than this, in milliseconds: a change later than that shows. */
const GRAIN_MS = 20;
/** How often the log is opened if writers come and go meanwhile. */
const OPENINGS = 5;
/**
 * How often we look at a file that seems to be without its write-ahead log, and the pause between two looks, in milliseconds:
 * a log that is just being made looks like that.
 */
const ALONE_LOOKS = 10;
const ALONE_PAUSE_MS = 50;

/** A session on the log as it was. */
interface Opened {
  readonly session: Session;
  /** Whether it reads a log that no process had open, and that has changed since. */
  readonly overtaken: () => boolean;
}

/** `path` is absolute. */
export async function openForReading(path: string, options: OpenOptions): Promise<Session> {
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
        // What was read while a process wrote may be anything.
        if (closed || !asked.overtaken()) throw error;
      }
      renewing ??= renew(asked).finally(() => (renewing = undefined));
      await renewing;
    }
  };

  return {
    readOnly: true,
    registry: () => ask((session) => session.registry()),
    change: (judge) => ask((session) => session.change(judge)),
    sweep: () => current.session.sweep(),
    advance: (step) => current.session.advance(step),
    stored: (range) => ask((session) => session.stored(range)),
    append: (batch) => current.session.append(batch),
    exclusive: (work) => current.session.exclusive(work),
    load: (requests, loading) => ask((session) => session.load(requests, loading)),
    read: (range, options) => ask((session) => session.read(range, options)),
    scan: (range, options) => ask((session) => session.scan(range, options)),
    commits: (range, options) => ask((session) => session.commits(range, options)),
    ledger: (ids, options) => ask((session) => session.ledger(ids, options)),
    types: (range) => ask((session) => session.types(range)),
    documents: (range) => ask((session) => session.documents(range)),
    moved: (from, signal) => ask((session) => session.moved(from, signal)),
    check: () => ask((session) => session.check()),
    async close() {
      closed = true;
      await renewing?.catch(() => undefined);
      await current.session.close();
    },
  };
}

async function openAt(path: string, options: OpenOptions): Promise<Opened> {
  const file = realPlace(path);
  for (let openings = 1; ; openings += 1) {
    inspectForReading(file);
    const before = standing(file);
    try {
      if (before !== undefined) return await openStanding(file, before, options);
      const session = await sessionOn(file, false, options, (reader) => stillThere(path, file, reader));
      return { session, overtaken: () => false };
    } catch (error) {
      // A writer has come or gone since the look.
      const changed = standing(file) !== before;
      if (changed && openings < OPENINGS) continue;
      if (before === undefined && (isUnopened(error) || isReadOnly(error))) throw withoutIndex(file, error);
      throw translatedAtOpen(error, file);
    }
  }
}

/** A log that no process has open. */
async function openStanding(file: string, stands: string, options: OpenOptions): Promise<Opened> {
  // A file that was changed just now may change again and show the same time.
  await setTimeout(GRAIN_MS);
  const overtaken = (): boolean => standing(file) !== stands;
  const inPlace = (): void => {
    if (overtaken()) throw new StoreUnavailable(`${file} was written to, and is opened again.`, { file });
  };
  return { session: await sessionOn(file, true, options, () => inPlace), overtaken };
}

async function sessionOn(
  file: string,
  settled: boolean,
  options: OpenOptions,
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
    for (let looks = 1; looks <= ALONE_LOOKS; looks += 1) {
      const session = await whenFree(make, { file, lockTimeoutMs: options.lockTimeoutMs });
      if (session) return session;
      await setTimeout(ALONE_PAUSE_MS);
    }
    throw withoutWal(file);
  } catch (error) {
    reader.close();
    throw error;
  }
}

/** The state of the file if no process has the log open; undefined if one has, or had when it was stopped. */
function standing(file: string): string | undefined {
  const main = statsOf(file);
  if (main === undefined || (statsOf(`${file}-wal`)?.size ?? 0n) > 0n || statsOf(`${file}-journal`)) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = main;
  return [dev, ino, size, mtimeNs, ctimeNs].join();
}

function withoutIndex(file: string, cause: unknown): NotWritable {
  return new NotWritable(
    `${file}-wal holds commits of the log. It can't be read without ${file}-shm, which can't be made here. Make an empty ` +
      `${file}-shm where the disk can be written; or copy the log with its -wal to such a place, and open it there once ` +
      'without readOnly.',
    { file, wal: `${file}-wal` },
    cause,
  );
}
