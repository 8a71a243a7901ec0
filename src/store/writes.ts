/** The writes of a session: closing waits for them, or gives them up after a while. */
import type { Closing } from './store.ts';
import { within } from './within.ts';

/** One write, for the code that runs it. */
export interface Write {
  /** Must be called at each step. @throws Closed once it was given up */
  assertGoing(): void;
  /** Must be called directly before it is stored: from then on it isn't given up. @throws Closed if it was */
  stores(): void;
  /** The result of the caller's `work`, unless the write is given up before. */
  orGivenUp<T>(work: Promise<T>): Promise<T>;
}

/**
 * All writes of one session.
 *
 * @example
 * ```ts
 * import { Closed } from 'tidemark';
 * import { Writes } from 'tidemark/store';
 *
 * const writes = new Writes(() => new Closed('The session was closed.'));
 * const stored = await writes.run(async (write) => {
 *   write.stores(); // from here on, it isn't given up
 *   return 'stored';
 * });
 * await writes.close({ timeoutMs: 100 });
 * ```
 */
export class Writes {
  /** Each write with the function that gives it up; undefined while it is being stored. */
  readonly #asked = new Map<Promise<unknown>, ((error: unknown) => void) | undefined>();
  readonly #closed: () => Error;
  #over = false;

  /** @param closed makes the error of a write that was given up */
  constructor(closed: () => Error) {
    this.#closed = closed;
  }

  /** The result of a write; `Closed` if it is given up. */
  async run<T>(write: (write: Write) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#asked.set(promise, reject);
    const assertGoing = (): void => {
      if (this.#over) throw this.#closed();
    };
    const stores = (): void => {
      assertGoing();
      this.#asked.set(promise, undefined);
    };
    try {
      const orGivenUp = <R>(work: Promise<R>): Promise<R> => Promise.race([work, promise.then(() => work)]);
      write({ assertGoing, stores, orGivenUp }).then(resolve, reject);
      return await promise;
    } finally {
      this.#asked.delete(promise);
    }
  }

  /** Resolves once all writes are done or given up: then nothing more is stored. */
  async close({ timeoutMs }: Closing = {}): Promise<void> {
    const done = Promise.allSettled(this.#asked.keys());
    if (timeoutMs !== undefined) {
      await within(done, timeoutMs);
      this.#over = true;
      for (const give of this.#asked.values()) give?.(this.#closed());
    }
    await done;
  }
}
