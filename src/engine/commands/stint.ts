/** The time that there is for deciding the commands of one batch. */
import type { Core } from '../core.ts';

/** How long commands have been decided in one piece: others get their turn while documents are waited for. */
export class Stint {
  readonly #elapsed: () => number;
  readonly #max: number;
  readonly #until: number;
  #since: number;
  #waited = 0;
  /** As of when it was looked at last. */
  #now: number;

  constructor({ runtime, limits }: Core, until: number) {
    this.#elapsed = runtime.elapsed;
    this.#max = limits.batchDecideMs;
    this.#until = until;
    this.#now = this.#since = runtime.elapsed();
  }

  /** Whether a part of the time that there is for it had passed, when it was looked at last. */
  isOver(part = 1): boolean {
    return this.#now - this.#since >= this.#max * part || this.#now >= this.#until;
  }

  /** Which part of that time has passed since it was looked at last. */
  part(): number {
    const before = this.#now;
    this.#now = this.#elapsed();
    return (this.#now - before) / this.#max;
  }

  /** Whether documents have been waited for as long as commands may be decided. */
  get hasWaited(): boolean {
    return this.#waited >= this.#max;
  }

  /** Which part of that time it took. */
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
