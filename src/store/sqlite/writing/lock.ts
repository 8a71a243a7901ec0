/**
 * The write lock: first come, first served within a session, and fair between processes.
 *
 * SQLite's own busy handler isn't used: its growing sleeps starve one of two busy writers (2,500 rows/s against 204,000), and
 * it blocks the event loop. Instead we try again and again: seldom enough to leave the machine to others, and often enough to
 * find the moment between two commits of a busy process.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isBusy, lockTimeout } from '../errors.ts';

/**
 * How long we try between turns of the event loop before we sleep between tries, in milliseconds. Longer than several commits
 * of other processes: a process that sleeps gets the lock after those that don't (with 5 ms, four servers had 10% to 33% more
 * at the 99th percentile).
 */
const EAGER_MS = 100;
/**
 * The pauses between two tries in that time, in milliseconds: the first, the factor by which they grow, and the longest. The
 * thread sleeps, as no timer is so short. Trying without a pause took the cores from the holder of the lock: it
 * cost four servers on two cores, each with 16 callers, a third of the CPU time and a sixth of what they wrote. Pauses that
 * don't grow cost a quarter more.
 */
const EAGER_PAUSE_MS = 0.1;
const EAGER_PAUSE_GROWS = 1.5;
const EAGER_PAUSE_MAX_MS = 0.5;
/** The longest sleep between two tries after that time, in milliseconds. */
const SLEEP_MAX_MS = 2;
/** For `Atomics.wait` as a sleep: it is never woken. */
const NOBODY = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * One thing at a time, in the order of the calls, with a turn of the event loop after each: SQLite is synchronous here, so a
 * caller in a loop would otherwise block timers, I/O and the other sessions of its process for ever.
 */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.then(
      () => setImmediate(),
      () => setImmediate(),
    );
    return turn;
  }

  /** Resolves when all calls are done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

/** Tries until no other connection stands in the way. @throws StoreUnavailable after `lockTimeoutMs`; what `attempt` throws */
export async function whenFree<T>(
  attempt: () => T,
  { file, lockTimeoutMs }: { readonly file: string; readonly lockTimeoutMs: number },
): Promise<T> {
  const start = performance.now();
  let pause = EAGER_PAUSE_MS;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    const waited = performance.now() - start;
    if (waited >= lockTimeoutMs) throw lockTimeout(file, waited);
    if (waited < EAGER_MS) {
      Atomics.wait(NOBODY, 0, 0, pause);
      pause = Math.min(EAGER_PAUSE_MAX_MS, pause * EAGER_PAUSE_GROWS);
      await setImmediate();
    } else await setTimeout(Math.random() * SLEEP_MAX_MS);
  }
}
