/**
 * What ends a reader, or a command's `prepare`, whatever it waits for: the caller's signal, the closing of the
 * application, and `return()` of a reader's iterator. It listens only while something is waited for, so that an iterator
 * that nobody asks any more is held by no signal.
 */
import { abortController } from '../realm.ts';
import { listen } from '../signal.ts';

export class Halt {
  readonly #sources: readonly AbortSignal[];
  readonly #controller = abortController();
  readonly #signals: readonly AbortSignal[];
  #stopped = false;

  constructor(sources: readonly (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#signals = [this.#controller.signal, ...this.#sources];
  }

  /** Whether it was ended by {@link stop}. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Ends it without an error of anybody's: nobody wants anything of it any more. */
  stop(): void {
    this.#stopped = true;
    this.#controller.abort();
  }

  /** @throws the reason of the signal that has aborted */
  assertGoing(): void {
    for (const signal of this.#signals) signal.throwIfAborted();
  }

  /**
   * What `work` comes to, or the reason of the signal that aborts before. The signal that `work` is given tells it to
   * give up; if it doesn't, nobody waits for it any more all the same.
   *
   * @throws InvalidInput if the caller's signal can't be listened to
   */
  async orElse<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.assertGoing();
    const { signal } = this.#controller;
    const { promise, reject } = Promise.withResolvers<never>();
    const deafen = [listen(signal, reject)];
    try {
      for (const source of this.#sources) deafen.push(listen(source, (reason) => this.#controller.abort(reason)));
      return await Promise.race([promise, work(signal)]);
    } finally {
      for (const end of deafen) end();
    }
  }
}
