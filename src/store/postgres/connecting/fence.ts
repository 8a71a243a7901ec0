/**
 * What became of an append that got no answer.
 *
 * "Not in the ledger" proves nothing about it: its backend may still wait for the lock, and its statement may even be on
 * its way still, in a buffer of the network or the queue of a pooler, though the connection that it was sent by is long
 * gone. Sending the same commands again is safe, as the ledger lets an id have one outcome; but whoever asks the ledger
 * whether a command was stored must not be told no, and find it stored a moment later.
 *
 * So every append says the number of its session's fence, and the first time that the ledger is asked after an append has
 * got no answer, the fence is raised: `fence_v1` takes the write lock, which waits for whatever is under way, and leaves
 * a row behind that refuses what arrives later. Then the ledger's answer is final. An append that was merely overtaken is
 * told that it was fenced off, and is sent again under the new number.
 */
import { randomUUID } from 'node:crypto';

export class Fence {
  /** Names the session in the database. */
  readonly session = randomUUID();
  /** What an append says. */
  current = 0;
  /** Below this number nothing is stored any more. */
  #raised = 0;
  /** The highest number that an append without an answer said. */
  #inDoubt = -1;
  #raising: Promise<void> | undefined;

  /** To be told of an append that got no answer, and the number that it said. */
  doubt(said: number): void {
    this.#inDoubt = Math.max(this.#inDoubt, said);
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
    this.current += 1;
    const next = this.current;
    await raise(next);
    this.#raised = next;
  }
}
