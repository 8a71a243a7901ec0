/**
 * The write lock: first come, first served within a session, and fair between processes.
 *
 * SQLite's own busy handler is not used: its growing sleeps starve one of two busy writers (2,500 rows/s against
 * 204,000), and it blocks the event loop. We ask again and again instead, seldom enough to leave the machine to others
 * and often enough to meet the moment between two commits of a busy neighbour.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { isBusy } from '../errors.ts';

/**
 * How long the lock is asked for between turns of the event loop, before sleeping between tries, in milliseconds. Longer than
 * several neighbours' commits take: who sleeps gets it after all those who don't (5 ms: a tenth to a third more at the 99th
 * percentile of four servers).
 */
const EAGER_MS = 100;
/**
 * The pauses between two tries in that time, in milliseconds: the first, how much longer each is than the last, and the
 * longest. The thread sleeps, as no timer is so short, and turning in the meantime took the cores from the one that has the
 * lock: of four servers on two cores, each with 16 callers, a third of the CPU time and a sixth of what they wrote. Pauses that
 * don't grow cost these a quarter more.
 */
const EAGER_PAUSE_MS = 0.1;
const EAGER_PAUSE_GROWS = 1.5;
const EAGER_PAUSE_MAX_MS = 0.5;
/** The longest sleep between two tries after it, in milliseconds. */
const SLEEP_MAX_MS = 2;
/** Nobody wakes whoever waits at it. */
const NOBODY = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * One thing at a time, in the order asked for, with a turn of the event loop after each: SQLite is synchronous here, so
 * that a caller in a loop would otherwise keep timers, I/O and the other sessions of its process waiting for ever.
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

  /** Resolves when all that has been asked for is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

/**
 * Tries until nobody else stands in the way. Throws what `attempt` throws otherwise, and what `timedOut` makes once
 * `timeoutMs` have passed.
 */
export async function whenFree<T>(
  attempt: () => T,
  timeoutMs: number,
  timedOut: (waitedMs: number) => Error,
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
    if (waited >= timeoutMs) throw timedOut(waited);
    if (waited < EAGER_MS) {
      Atomics.wait(NOBODY, 0, 0, pause);
      pause = Math.min(EAGER_PAUSE_MAX_MS, pause * EAGER_PAUSE_GROWS);
      await setImmediate();
    } else await setTimeout(Math.random() * SLEEP_MAX_MS);
  }
}
