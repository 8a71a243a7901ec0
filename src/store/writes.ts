/** The writes that a session was asked for: done before it is closed, or given up after a while. */
import type { Closing } from './store.ts';
import { within } from './within.ts';

/** One write, as whoever runs it sees it. */
export interface Write {
  /** To be called at each step. @throws Closed once it was given up */
  assertGoing(): void;
  /** To be called just before it is stored, with no turn in between: from then on it isn't given up. @throws Closed if it was */
  stores(): void;
  /** What `work` of the caller's comes to, which may take any time: until it is given up. */
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
 *   write.stores(); // from here on it isn't given up
 *   return 'stored';
 * });
 * await writes.close({ timeoutMs: 100 });
 * ```
 */
export class Writes {
  /** With what ends the waiting of whoever asked for it; nothing where it is being stored. */
  readonly #asked = new Map<Promise<unknown>, ((error: unknown) => void) | undefined>();
  readonly #closed: () => Error;
  #over = false;

  /** @param closed makes what is told of a write that isn't done */
  constructor(closed: () => Error) {
    this.#closed = closed;
  }

  /** What a write comes to; or `Closed` once it is given up. */
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

  /** Resolves once all that was asked for is done, or given up: then nothing more is stored. */
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
