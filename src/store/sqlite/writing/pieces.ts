/**
 * Turns of the event loop in the midst of a transaction. A single event may have more ids than a portion is made for (1 MiB of JSON
 * holds some 170,000), and all its documents are stored together: written in one piece, 100,000 took a second. Whoever writes waits
 * meanwhile; reads have a connection of their own, and go on.
 */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** Rows between two looks at the clock. */
export const PIECE_ROWS = 500;
/** The longest piece, in milliseconds; the rows up to the next look come on top. Portions of the usual size are one piece. */
const PIECE_MS = 10;

export class Pieces {
  readonly #assertGoing: () => void;
  #rows = 0;
  #since = performance.now();

  /** @param assertGoing throws if the transaction was given up meanwhile: nothing may be written after it */
  constructor(assertGoing: () => void) {
    this.#assertGoing = assertGoing;
  }

  /** Whether it is time for others, after so many more rows. */
  isOver(rows = 1): boolean {
    this.#rows += rows;
    if (this.#rows < PIECE_ROWS) return false;
    this.#rows = 0;
    return performance.now() - this.#since >= PIECE_MS;
  }

  async turn(): Promise<void> {
    await setImmediate();
    this.#assertGoing();
    this.#since = performance.now();
  }
}
