/** How many commands are taken from the queue for the next batch. */
import type { Limits } from '../../limits.ts';
import type { Draft } from './draft.ts';

/** So many are taken however few fit: among them are those whose turn it is. */
const LEAST = 32;

/**
 * What was started and isn't decided is started again: so where a batch was full before its end, not many more are taken
 * than it held. Half as many at the least: a pause of the machine's says nothing of commands.
 */
export class Takes {
  readonly #max: number;
  #most: number;
  #isRoomy = true;

  constructor({ batchCommitsMax }: Limits) {
    this.#max = this.#most = batchCommitsMax;
  }

  get most(): number {
    return this.#most;
  }

  /** Whether all that were given to the last batch fitted into it. */
  get isRoomy(): boolean {
    return this.#isRoomy;
  }

  learn({ isFull, left }: Pick<Draft, 'isFull' | 'left'>, given: number): void {
    const next = isFull ? Math.max(2 * (given - left.length), Math.floor(this.#most / 2)) : 2 * this.#most;
    this.#most = Math.min(this.#max, Math.max(LEAST, next));
    this.#isRoomy = !isFull;
  }
}
