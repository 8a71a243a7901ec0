/** A log in one file, by the SQLite that Node has built in. */
import { resolve } from 'node:path';
import { InvalidDefinition, isTidemarkError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import { openForReading } from './open-for-reading.ts';
import { openSession } from './open-session.ts';
import type { Synchronous } from './synchronous.ts';

/** How long a call waits for the write lock, in milliseconds, unless told otherwise. */
const LOCK_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MAX_MS = 24 * 60 * 60_000;

export interface SqliteOptions {
  /**
   * When a commit is acknowledged. `full`, the default: once it is on stable storage. `normal`: a loss of power may
   * undo the last commits. `off`: so may a crash of the machine, and the file may be damaged by it.
   */
  readonly synchronous?: Synchronous | undefined;
  /** How long to wait for another process that holds the write lock, in milliseconds; then `StoreUnavailable`. 5,000. */
  readonly lockTimeoutMs?: number | undefined;
  /** The store's clock, in milliseconds since the Unix epoch. `Date.now`. */
  readonly clock?: (() => number) | undefined;
  /**
   * Opens the log for reading alone: also where the disk can't be written, and while another process writes. Nothing is
   * made, neither a log nor a file beside it, unless a write-ahead log must be recovered. What would write throws
   * `NotWritable`: `execute`, and `open` with collections that aren't registered yet.
   */
  readonly readOnly?: boolean | undefined;
  /** How far ahead of the store's clock a decision's time may be, in milliseconds; then `ClockAhead`. Five minutes. */
  readonly clockAheadMs?: number | undefined;
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
export function sqlite(file: string, options: SqliteOptions = {}): Store {
  try {
    return storeAt(file, options);
  } catch (cause) {
    if (isTidemarkError(cause)) throw cause;
    throw new InvalidDefinition('sqlite() is given options that can’t be used.', {}, cause);
  }
}

function storeAt(file: string, options: SqliteOptions): Store {
  const { synchronous = 'full', lockTimeoutMs = LOCK_TIMEOUT_MS, clock = Date.now } = options;
  const { clockAheadMs = CLOCK_AHEAD_MAX_MS, readOnly = false } = options;
  checkName(file);
  if (!['full', 'normal', 'off'].includes(synchronous)) {
    throw new InvalidDefinition(
      `synchronous is "full", "normal" or "off", not ${typeof synchronous === 'string' ? JSON.stringify(synchronous) : typeof synchronous}.`,
    );
  }
  checkMs('lockTimeoutMs', lockTimeoutMs, LOCK_TIMEOUT_MAX_MS);
  checkMs('clockAheadMs', clockAheadMs, Infinity);
  if (typeof readOnly !== 'boolean') throw new InvalidDefinition('readOnly is true or false.', { option: 'readOnly' });
  if (typeof clock !== 'function') throw new InvalidDefinition('clock is a function that returns milliseconds.');
  const known = ['synchronous', 'lockTimeoutMs', 'readOnly', 'clock', 'clockAheadMs'];
  for (const option of Object.keys(options)) {
    if (!known.includes(option)) {
      throw new InvalidDefinition(`${option} is no option of sqlite(): it has ${known.join(', ')}.`, { option });
    }
  }
  // Resolved now: the working directory may be another by the time of `open`.
  const path = resolve(file);
  return Object.freeze({
    name: 'sqlite',
    open: () => {
      const shared = { lockTimeoutMs, clock: { now: clock, aheadMs: clockAheadMs } };
      return readOnly ? openForReading(path, shared) : openSession(path, { ...shared, synchronous });
    },
  });
}

function checkName(file: string): void {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw new InvalidDefinition(
      'sqlite() needs the name of a file. For a log that is kept nowhere use tidemark/memory.',
    );
  }
  if (file === ':memory:') {
    throw new InvalidDefinition('":memory:" is no file. For a log that is kept nowhere use tidemark/memory.', { file });
  }
  if (/^file:/i.test(file)) {
    throw new InvalidDefinition(`${file} is a URI. Give the path of the file.`, { file });
  }
}

function checkMs(option: string, value: number, max: number): void {
  if (typeof value === 'number' && value >= 0 && value <= max) return;
  throw new InvalidDefinition(`${option} is a number of milliseconds from 0 to ${max}.`, { option });
}
