/** Time, timers and randomness: passed in, so that a whole engine can be run deterministically. */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { timeBy } from '../options.ts';

export interface Runtime {
  /** Milliseconds since the Unix epoch, a whole number. */
  now(): number;
  /** Milliseconds since some moment, not always whole; setting a clock doesn't change them. */
  elapsed(): number;
  /** Resolves once everything that is ready has run: a caller that was just answered can ask again first. */
  turn(): Promise<void>;
  /** Resolves after some milliseconds, or when the signal aborts. Without `ref` the process may end meanwhile. */
  sleep(ms: number, signal?: AbortSignal, options?: { readonly ref: boolean }): Promise<void>;
  /** From 0 up to 1. */
  random(): number;
  /** 16 random bytes, overwritten by the next call. */
  randomBytes(): Uint8Array;
}

/** The latest time that 48 bits hold, as in a UUID of version 7: the year 10889. A later clock counts in another unit. */
const TIME_MAX = 2 ** 48 - 1;

/** The machine's own. @throws InvalidDefinition (from `now`) if the user's clock throws, or gives no time */
export function machineRuntime(clock: () => number = () => Date.now()): Runtime {
  // Random bytes are fetched for many ids at once: a call for each costs more than the id.
  const pool = new Uint8Array(16 * 256);
  const bytes = new Uint8Array(16);
  let used = pool.length;
  return {
    now: () => timeBy(clock, 'The clock passed to open, or to the store,', TIME_MAX),
    elapsed: () => performance.now(),
    turn: () => new Promise((resolve) => void setImmediate(resolve)),
    sleep: (ms, signal, { ref } = { ref: true }) => setTimeout(ms, undefined, { signal, ref }).catch(() => undefined),
    random: Math.random,
    randomBytes() {
      if (used === pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      for (let index = 0; index < 16; index += 1) bytes[index] = pool[used++]!;
      return bytes;
    },
  };
}
