/** How many commands are taken from the queue for the next batch. */
import type { Limits } from '../../limits.ts';
import type { Draft } from './draft.ts';

/** So many are taken however few fit: the one whose turn it is must be among them. */
const LEAST = 32;

/**
 * A command that was started and isn't decided is started again: so after a full batch not many more are taken than it held, but
 * at least half as many as before: a pause of the machine says nothing about commands.
 */
export class Takes {
  readonly #max: number;
  most: number;
  /** Whether the last batch had room for all. */
  isRoomy = true;

  constructor({ batchCommitsMax }: Limits) {
    this.#max = this.most = batchCommitsMax;
  }

  learn({ isFull, left }: Pick<Draft, 'isFull' | 'left'>, given: number): void {
    const next = isFull ? Math.max(2 * (given - left.length), Math.floor(this.most / 2)) : 2 * this.most;
    this.most = Math.min(this.#max, Math.max(LEAST, next));
    this.isRoomy = !isFull;
  }
}
