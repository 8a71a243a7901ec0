/**
 * The write lock of a log: one holder at a time, first come, first served, so that no writer starves.
 */
export class WriteLock {
  #last: Promise<void> = Promise.resolve();

  /** Waits for its turn, runs `work`, and lets the next one in whether `work` succeeded or not. */
  async hold<T>(work: () => T | Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }
}
