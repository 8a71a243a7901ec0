/** A log in one file, by the SQLite that Node has built in. */
import { resolve } from 'node:path';
import { InvalidDefinition } from '../../errors.ts';
import { clock as userClock, milliseconds, oneOf, optionsOf, type Checks } from '../../options.ts';
import { givenClock, machineClock, type AnchorPlace } from '../clock.ts';
import type { Opening, Store } from '../store.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import { openForReading } from './connecting/open-for-reading.ts';
import { openSession } from './connecting/open-session.ts';
import type { Synchronous } from './connecting/synchronous.ts';

/** How long a call waits for the write lock, in milliseconds, unless told otherwise. */
const LOCK_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MAX_MS = 24 * 60 * 60_000;
/** For whoever has a clock that is right, or one that was set on purpose. */
const ADVICE =
  'If it is right (it was set late after the start, or a virtual machine was paused), open the log once with ' +
  'sqlite(file, { clockMayJump: true }). If it is to jump, as in a test, give it to open: clock: () => Date.now().';

export interface SqliteOptions {
  /**
   * When a commit is acknowledged. `full`, the default: once it is on stable storage. `normal`: a loss of power may
   * undo the last commits. `off`: so may a crash of the machine, and the file may be damaged by it.
   */
  readonly synchronous?: Synchronous | undefined;
  /** How long to wait for another process that holds the write lock, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * The store's clock, in milliseconds since the Unix epoch. By default the application's, if `open` is given one; else
   * the machine's, which is not believed where it can't be right: see `clockMayJump`.
   */
  readonly clock?: (() => number) | undefined;
  /**
   * Opens the log for reading alone: also where the disk can't be written, and while another process writes. Nothing is
   * made, neither a log nor a file beside it, unless a write-ahead log must be recovered. What would write throws
   * `NotWritable`: `execute`, and `open` with collections that aren't registered yet.
   */
  readonly readOnly?: boolean | undefined;
  /** How far ahead of the store's clock a decision's time may be, in milliseconds; then `ClockAhead`. Five minutes. */
  readonly clockAheadMs?: number | undefined;
  /**
   * Whether to believe the machine's clock though it has come further than the machine has been running since the log
   * was first written to after its start, by more than `clockAheadMs`. By default that is `ClockAhead` and nothing is
   * stored: the log's time is never set back, so a clock that is a year ahead for a minute would drag it along for good.
   * To be said where such a clock is right: it was set late after the start (a machine that keeps no time while it is
   * off: better to start the service after that), or a virtual machine was paused from outside. Once is enough, for all
   * processes. Where the start of a machine has no name (on other systems than Linux) each session judges for itself.
   */
  readonly clockMayJump?: boolean | undefined;
}

/**
 * A log in the SQLite file `file`, which is made if it doesn't exist. Any number of processes on one machine may have
 * it open at once. SQLite keeps two files beside it, `-wal` and `-shm`: they belong to the log. The file must be on a
 * local disk.
 *
 * A log that is kept nowhere must be asked for by name (`tidemark/memory`): `:memory:` and an empty name are refused.
 *
 * @throws {@link InvalidDefinition} at once, if the name or an option isn't what it must be. `open` throws `NotALog`,
 * `NotWritable`, `FormatTooNew` or `LogCorrupt` where there is no log to be had.
 *
 * @example
 * ```ts
 * import { sqlite } from 'tidemark/sqlite';
 *
 * const store = sqlite('/var/lib/shop/market.db');
 * const report = sqlite('/mnt/snapshot/market.db', { readOnly: true }); // for `get`, `fold`, `events`, `verify`
 * ```
 */
export function sqlite(file: string, options?: SqliteOptions): Store {
  checkName(file);
  const {
    synchronous = 'full',
    lockTimeoutMs = LOCK_TIMEOUT_MS,
    readOnly = false,
    clock,
    clockAheadMs = CLOCK_AHEAD_MAX_MS,
    clockMayJump = false,
  } = optionsOf<SqliteOptions>('sqlite()', options, SQLITE);
  // Resolved now: the working directory may be another by the time of `open`.
  const path = resolve(file);
  return Object.freeze({
    name: 'sqlite',
    clock,
    open: (opening: Opening = {}) => {
      const given = clock ?? opening.clock;
      const shared = {
        lockTimeoutMs,
        warn: opening.warn,
        clock: (place: AnchorPlace) =>
          given
            ? givenClock(given, clockAheadMs)
            : machineClock({ aheadMs: clockAheadMs, advice: ADVICE, mayJump: clockMayJump, shared: place }),
      };
      return readOnly ? openForReading(path, shared) : openSession(path, { ...shared, synchronous });
    },
  });
}

const SQLITE: Checks<SqliteOptions> = {
  synchronous: oneOf(['full', 'normal', 'off']),
  lockTimeoutMs: milliseconds(LOCK_TIMEOUT_MAX_MS),
  clock: userClock,
  clockAheadMs: milliseconds(Infinity),
  clockMayJump: oneOf([true, false]),
  readOnly: oneOf([true, false]),
};

function checkName(file: string): void {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new InvalidDefinition(
      'sqlite() needs the name of a file. For a log that is kept nowhere use tidemark/memory.',
    );
  }
  if (file === ':memory:') {
    throw new InvalidDefinition(
      '":memory:" is not the name of a file. For a log that is kept nowhere use tidemark/memory.',
      { file },
    );
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(file)) {
    // It may hold a password, so it isn't repeated.
    throw new InvalidDefinition('sqlite() needs the path of a file, not a URL. For PostgreSQL use tidemark/postgres.');
  }
  if (/^file:/i.test(file)) {
    throw new InvalidDefinition(`${file} is a URI. Give the path of the file.`, { file });
  }
}
