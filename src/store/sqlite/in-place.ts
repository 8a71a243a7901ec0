/**
 * Whether the files that a session has open are still those that everybody else finds.
 *
 * A file that is removed or replaced stays open, and SQLite goes on with it as if nothing had happened: what is written
 * there is acknowledged, and nobody finds it again; what is read there is a past that others have left.
 */
import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { StoreUnavailable } from '../../errors.ts';

/**
 * To be called with a connection to `file` open, which `path` leads to: from then on nobody may replace its write-ahead
 * log (only the last to close a log takes it away). The function that is returned throws `StoreUnavailable` once the log
 * isn't in place any more.
 */
export function stillThere(path: string, file: string): () => void {
  const main = lookAt(path);
  const wal = lookAt(`${file}-wal`);
  return () => {
    const now = lookAt(path);
    if (!sameFile(now, main) || now.size === 0) throw gone(path, now?.size === 0 ? 'emptied' : undefined);
    if (!sameFile(lookAt(`${file}-wal`), wal)) throw gone(`${file}-wal`);
  };
}

function lookAt(file: string): Stats | undefined {
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
  );
}
