/**
 * Ends a reader, whatever it waits for: by the caller's signal, the closing of the application, or `return()` of its iterator. It
 * listens only while something is waited for, so that no signal holds an abandoned iterator.
 */
import { abortController } from '../realm.ts';
import { listen } from '../signal.ts';

export class Halt {
  readonly #sources: readonly AbortSignal[];
  readonly #controller = abortController();
  readonly #signals: readonly AbortSignal[];
  /** Whether it was ended by {@link stop}. */
  stopped = false;

  constructor(sources: readonly (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    this.#signals = [this.#controller.signal, ...this.#sources];
  }

  /** Ends it without an error. */
  stop(): void {
    this.stopped = true;
    this.#controller.abort();
  }

  /** @throws the reason of the signal that has aborted */
  assertGoing(): void {
    for (const signal of this.#signals) signal.throwIfAborted();
  }

  /**
   * The result of `work`, or the reason of the signal that aborts first. `work` gets a signal to give up by; its result isn't
   * waited for then.
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
