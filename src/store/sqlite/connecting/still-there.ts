/**
 * Whether the files that a session has open are still those that everybody else finds, and still whole.
 *
 * A file that is removed or replaced stays open, and SQLite goes on with it as if nothing had happened: what is written
 * there is acknowledged, and nobody finds it again; what is read there is a past that others have left. Likewise with a
 * write-ahead log that was cut off: SQLite counts its frames in shared memory, and writes behind a gap that nobody will
 * read across after the next start. (What is overwritten in place, by bytes of the same length, is beyond a look: it is
 * for `verify` to find.)
 */
import { lstatSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { HistoryDiverged, StoreUnavailable } from '../../../errors.ts';
import { single } from './connection.ts';
import { Wal, WAL_FRAME_HEADER, WAL_HEADER } from './wal.ts';

/** How often a log is looked at that seems to be cut off: it may have begun anew between two looks. */
const LOOKS = 3;

/**
 * To be called with connections to `file` open, which `path` leads to: from then on nobody may replace its
 * write-ahead log (only the last to close a log takes it away). The function that is returned throws `StoreUnavailable`
 * once the log isn't in place any more, and `HistoryDiverged` once its last commits are gone. It must be called with no
 * transaction open on `connection`.
 */
export function stillThere(path: string, file: string, connection: DatabaseSync): () => void {
  const wal = `${file}-wal`;
  const main = statsOf(path);
  const first = statsOf(wal);
  const shm = statsOf(`${file}-shm`);
  const counter = new Wal(connection);
  let diverged: HistoryDiverged | undefined;
  const frameBytes = WAL_FRAME_HEADER + single<number>(connection, 'PRAGMA page_size');

  /** The log is written before its frames are counted, so they are asked for first: others may be writing meanwhile. */
  const isWhole = (): boolean => {
    for (let looks = 1; looks <= LOOKS; looks += 1) {
      const count = counter.frames();
      if (count === 0 || (statsOf(wal)?.size ?? 0) >= WAL_HEADER + count * frameBytes) return true;
    }
    return false;
  };

  return () => {
    // Others may write over the gap: that heals nothing.
    if (diverged) throw diverged;
    const now = statsOf(path);
    // Moved away with a link left behind: whoever comes by that keeps the newest commits beside the other place.
    if (!sameFile(now, main) || isLink(file) || now.size === 0)
      throw gone(path, now?.size === 0 ? 'emptied' : undefined);
    // Whoever opens the log next makes another one, and knows nothing of the locks in this.
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

function statsOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    // A directory on the way was replaced by something else.
    return undefined;
  }
}

function sameFile(now: Stats | undefined, then: Stats | undefined): now is Stats {
  return now !== undefined && now.ino === then?.ino && now.dev === then.dev;
}

function gone(file: string, what = 'removed or replaced'): StoreUnavailable {
  return new StoreUnavailable(
    `${file} was ${what} while the log was open. Nothing was stored: put it back or restore a copy, then open the log again.`,
    { file },
    undefined,
    // Whoever waits for it would wait for ever.
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
