/** The write lock of a log: one holder at a time, first come, first served, so that no writer starves. */
export class WriteLock {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` in its turn. The next one has its turn also if `work` failed. */
  hold<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
