/** Turns of the event loop, for engines that answer without waiting for anything. */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** The longest that reads in a row keep the event loop waiting, in milliseconds. */
const READING_MS = 5;

/**
 * Gives the event loop a turn now and then. A caller that reads in a loop runs on promises alone where the engine never
 * waits, and would keep timers, I/O and every other caller of its process waiting for ever.
 */
export class Turns {
  #last = 0;
  #turn: Promise<void> | undefined;

  /** A turn if the last one is long ago. Whoever comes while one is taken waits for its end, and goes on beside the others. */
  take(): Promise<void> {
    if (this.#turn === undefined && performance.now() - this.#last >= READING_MS) {
      this.#turn = setImmediate().then(() => {
        this.#last = performance.now();
        this.#turn = undefined;
      });
    }
    return this.#turn ?? Promise.resolve();
  }
}
