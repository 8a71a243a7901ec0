/** The time for deciding the commands of one batch. */
import type { Core } from '../core.ts';

/** How long commands have been decided in one piece; waiting for documents doesn't count, as others get their turn then. */
export class Stint {
  readonly #elapsed: () => number;
  readonly #max: number;
  readonly #until: number;
  #since: number;
  #waited = 0;
  /** The time of the last look. */
  #now: number;

  constructor({ runtime, limits }: Core, until: number) {
    this.#elapsed = runtime.elapsed;
    this.#max = limits.batchDecideMs;
    this.#until = until;
    this.#now = this.#since = runtime.elapsed();
  }

  /** Whether a part of the time had passed at the last look. */
  isOver(part = 1): boolean {
    return this.#now - this.#since >= this.#max * part || this.#now >= this.#until;
  }

  /** The part of the time that has passed since the last look. */
  part(): number {
    const before = this.#now;
    this.#now = this.#elapsed();
    return (this.#now - before) / this.#max;
  }

  /** Whether documents were waited for as long as commands may be decided. */
  get hasWaited(): boolean {
    return this.#waited >= this.#max;
  }

  /** Waits; returns the part of the time that it took. */
  async wait(work: Promise<void>): Promise<number> {
    const before = this.#elapsed();
    await work;
    const waited = this.#elapsed() - before;
    this.#since += waited;
    this.#now += waited;
    this.#waited += waited;
    return waited / this.#max;
  }
}
