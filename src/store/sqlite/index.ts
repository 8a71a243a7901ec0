/** A log in one file, with the SQLite that is part of Node. */
import { resolve } from 'node:path';
import { InvalidDefinition } from '../../errors.ts';
import { milliseconds, oneOf, optionsOf, type Checks } from '../../options.ts';
import { CLOCK_CHECKS, givenClock, machineClock, type AnchorPlace, type ClockOptions } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS, type Opening, type Store } from '../store.ts';
import { openForReading } from './connecting/open-for-reading.ts';
import { openSession } from './connecting/open.ts';
import type { Synchronous } from './connecting/synchronous.ts';

/** How long a call waits for the write lock, in milliseconds, unless told otherwise. */
const LOCK_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MAX_MS = 24 * 60 * 60_000;
/** What to do if the clock is right, or was set on purpose. */
const ADVICE =
  'If the clock is right (it was set late after the start, or a virtual machine was paused), open the log once with ' +
  'sqlite(file, { clockMayJump: true }). If a test sets the clock, pass it to open: clock: () => Date.now().';

export interface SqliteOptions extends ClockOptions {
  /**
   * When a commit is acknowledged. `full`, the default: once it is on stable storage. `normal`: a loss of power may undo the
   * last commits. `off`: a crash of the machine may undo them too, and may damage the file.
   */
  readonly synchronous?: Synchronous | undefined;
  /** How long to wait for another process that holds the write lock, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * Opens the log only for reading: also where the disk can't be written, and while another process writes. No log and no
   * file beside it is made, unless a write-ahead log must be recovered. What would write throws `NotWritable`: `execute`,
   * and `open` with collections that aren't registered yet.
   */
  readonly readOnly?: boolean | undefined;
  /**
   * Whether to believe a clock of the machine that jumped: since the first write after the machine's start it has moved
   * further than the machine has run, by more than `clockAheadMs`. By default that is `ClockAhead` and nothing is stored:
   * the log's time is never set back, so one minute with a clock that is a year ahead would move it for good. Say `true`
   * if such a clock is right: it was set late after the start (then start the service later, if you can), or a virtual
   * machine was paused from outside. Once is enough for all processes. Where the start of a machine has no name (on
   * systems other than Linux) each session decides for itself.
   */
  readonly clockMayJump?: boolean | undefined;
}

/**
 * A log in the SQLite file `file`, which is made if it doesn't exist. Any number of processes on one machine may have it open
 * at once. SQLite keeps two files beside it, `-wal` and `-shm`: they belong to the log. The file must be on a local disk.
 * `:memory:` and an empty name are refused: a log that is stored nowhere is `tidemark/memory`.
 *
 * @throws {@link InvalidDefinition} at once if the name or an option isn't valid. `open` throws `NotALog`, `NotWritable`,
 * `FormatTooNew` or `LogCorrupt` if it can't open or make a log there.
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
  // Now: the working directory may change before `open`.
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
  ...CLOCK_CHECKS,
  clockMayJump: oneOf([true, false]),
  readOnly: oneOf([true, false]),
};

function checkName(file: string): void {
  const elsewhere = 'For a log that is stored nowhere, use tidemark/memory.';
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new InvalidDefinition(`sqlite() needs the name of a file. ${elsewhere}`);
  }
  if (file === ':memory:') throw new InvalidDefinition(`":memory:" is not the name of a file. ${elsewhere}`, { file });
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(file)) {
    // The URL may hold a password, so the message doesn't repeat it.
    throw new InvalidDefinition('sqlite() needs the path of a file, not a URL. For PostgreSQL use tidemark/postgres.');
  }
  if (/^file:/i.test(file)) throw new InvalidDefinition(`${file} is a URI. Give the path of the file.`, { file });
}
