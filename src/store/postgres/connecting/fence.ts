/**
 * Settles an append that got no answer.
 *
 * "Not in the ledger" proves nothing about it: its backend may still wait for the lock, or its statement may still be on its
 * way (in a buffer of the network, in the queue of a pooler), though its connection is long gone. But if the ledger says that
 * a command wasn't stored, it must not be stored a moment later.
 *
 * So every append gives the number of its session's fence. The first time that the ledger is asked after an append got no
 * answer, the fence is raised: `fence_v1` takes the write lock, which waits for what is under way, and adds a row that
 * refuses what arrives later. Then the ledger's answer is final. A newer append that is refused by that row is sent again
 * under the new number.
 */
import { randomUUID } from 'node:crypto';

export class Fence {
  /** The session's name in the database. */
  readonly session = randomUUID();
  /** The number that an append gives. */
  current = 0;
  /** Below this number nothing is stored any more. */
  #raised = 0;
  /** The highest number that was given by an append without an answer. */
  #inDoubt = -1;
  #raising: Promise<void> | undefined;

  /** An append got no answer, and had given this number. */
  doubt(given: number): void {
    this.#inDoubt = Math.max(this.#inDoubt, given);
  }

  /** Resolves when every append in doubt is either stored or never will be. `raise` writes the new number. */
  async settle(raise: (fence: number) => Promise<void>): Promise<void> {
    while (this.#raised <= this.#inDoubt) {
      this.#raising ??= this.#raise(raise).finally(() => (this.#raising = undefined));
      await this.#raising;
    }
  }

  async #raise(raise: (fence: number) => Promise<void>): Promise<void> {
    // First, so that what is sent from now on isn't refused.
    const next = (this.current += 1);
    await raise(next);
    this.#raised = next;
  }
}
