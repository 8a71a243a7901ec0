/**
 * Waiting for the file to change. SQLite tells nobody: this process tells itself after each commit, and asks the file
 * for what others have committed, but only while somebody waits.
 */
import type { DatabaseSync } from 'node:sqlite';
import timers from 'node:timers';
import type { LogEnd } from '../../store.ts';
import { Waiters } from '../../waiters.ts';
import { one } from '../connecting/connection.ts';
import { isBusy, translated } from '../errors.ts';

/**
 * How often the file is asked, in milliseconds. A process that only waits was busy for 1.5% of a slow core: two thirds
 * of that for being woken at all, most of the rest for looking whether the file is still in place.
 */
const ASK_MS = 15;

/** File → sessions of this process in which somebody waits. */
const waiting = new Map<string, Set<Waiters>>();

/** This process has committed to the file. Other names of it, by links, are asked for like other processes' commits. */
export function tellWaiters(file: string): void {
  for (const waiters of waiting.get(file) ?? []) waiters.wake();
}

/**
 * Those who wait in a session. `database` is its reading connection, with no transaction open between two turns of the
 * event loop; `look` reads the end of the log by it.
 */
export function waitersOn(
  database: DatabaseSync,
  { file, inPlace }: { readonly file: string; readonly inPlace: () => void },
  look: () => Promise<LogEnd>,
): Waiters {
  // Another number whenever another connection has committed, the session's own writing one included.
  const dataVersion = database.prepare('PRAGMA data_version');
  let timer: NodeJS.Timeout | undefined;
  /** None before the first: what was committed between a look and it would be taken for known. */
  let version: number | undefined;

  const ask = (): void => {
    try {
      inPlace();
      const now = one<[number]>(dataVersion)?.[0];
      if (now === version) return;
      version = now;
      waiters.wake();
    } catch (error) {
      // While another process recovers or closes the log it can't be asked; the next time it can.
      if (!isBusy(error)) waiters.fail(translated(error, file));
    }
  };
  const waiters = new Waiters({
    look,
    begin() {
      timer = timers.setInterval(ask, ASK_MS);
      waiting.set(file, (waiting.get(file) ?? new Set()).add(waiters));
    },
    end() {
      timers.clearInterval(timer);
      version = undefined;
      waiting.get(file)?.delete(waiters);
      if (waiting.get(file)?.size === 0) waiting.delete(file);
    },
  });
  return waiters;
}
