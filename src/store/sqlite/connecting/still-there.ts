/**
 * Whether the files that a session has open are still the files that other processes find, and still whole.
 *
 * A file that is removed or replaced stays open, and SQLite goes on with it: what it writes there is acknowledged, but no other
 * process finds it, and what it reads there is old. The same with a write-ahead log that was cut off: SQLite counts its frames
 * in shared memory, and writes behind a gap that ends the log at the next start. (Bytes that are overwritten in place don't
 * show here: `verify` finds them.)
 */
import { lstatSync, statSync, type BigIntStats } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { HistoryDiverged, StoreUnavailable } from '../../../errors.ts';
import { single } from './connection.ts';
import { Wal, WAL_FRAME_HEADER, WAL_HEADER } from './wal.ts';

/** How often we look at a log that seems to be cut off: it may have started again between two looks. */
const LOOKS = 3;

/**
 * Must be called with connections to `file` open, to which `path` leads: from then on no process may replace its write-ahead
 * log (only the last one that closes a log removes it). The returned function throws `StoreUnavailable` once the log isn't in
 * place any more, and `HistoryDiverged` once its last commits are gone. Call it with no transaction open on `connection`.
 */
export function stillThere(path: string, file: string, connection: DatabaseSync): () => void {
  const wal = `${file}-wal`;
  const main = statsOf(path);
  const first = statsOf(wal);
  const shm = statsOf(`${file}-shm`);
  const counter = new Wal(connection);
  let diverged: HistoryDiverged | undefined;
  const frameBytes = WAL_FRAME_HEADER + single<number>(connection, 'PRAGMA page_size');

  /** The count first: SQLite writes frames before it counts them, and others may write meanwhile. */
  const isWhole = (): boolean => {
    for (let looks = 1; looks <= LOOKS; looks += 1) {
      const count = counter.frames();
      if (count === 0 || (statsOf(wal)?.size ?? 0n) >= WAL_HEADER + count * frameBytes) return true;
    }
    return false;
  };

  return () => {
    // It stays so, also if others write over the gap.
    if (diverged) throw diverged;
    const now = statsOf(path);
    // A link in its place: others that open it keep the newest commits beside the place that the link leads to.
    if (!sameFile(now, main) || isLink(file) || now.size === 0n)
      throw gone(path, now?.size === 0n ? 'emptied' : undefined);
    // The next process that opens the log makes another one, and doesn't see the locks in this one.
    if (!sameFile(statsOf(`${file}-shm`), shm)) throw gone(`${file}-shm`);
    const whole = isWhole();
    if (!sameFile(statsOf(wal), first)) throw gone(wal);
    if (!whole) throw (diverged = cutOff(wal));
  };
}

function isLink(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  } catch {
    return false;
  }
}

export function statsOf(file: string): BigIntStats | undefined {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    // A directory on the way was replaced.
    return undefined;
  }
}

function sameFile(now: BigIntStats | undefined, then: BigIntStats | undefined): now is BigIntStats {
  return now !== undefined && now.ino === then?.ino && now.dev === then.dev;
}

function gone(file: string, what = 'removed or replaced'): StoreUnavailable {
  return new StoreUnavailable(
    `${file} was ${what} while the log was open. Nothing was stored: put it back or restore a copy, then open the log again.`,
    { file },
    undefined,
    // Not retryable: waiting doesn't help.
    false,
  );
}

function cutOff(wal: string): HistoryDiverged {
  return new HistoryDiverged(
    `${wal} was cut off while the log was open: commits that were acknowledged are gone. Nothing was stored: stop all ` +
      'servers, find the copy that holds them, and start from it.',
    { file: wal },
  );
}
