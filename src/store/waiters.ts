/**
 * Waiting for a log to move: the part that is the same in every store. The store says where the log ends, and when to look.
 * Too many looks cost time; too few make callers wait.
 */
import { listen } from '../signal.ts';
import type { LogEnd, LogPoint } from './store.ts';

/** What a store lends to {@link Waiters}. */
export interface Watch {
  /** Where the log ends for all readers. If it throws, the calls that wait get the error. */
  look(): Promise<LogEnd>;
  /** The first call waits: from now on `wake` must be called after every commit of any process. */
  begin(): void;
  /** No call waits any more. */
  end(): void;
}

interface Waiter {
  readonly from: LogPoint;
  readonly moved: (end: LogEnd) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * All calls that wait in one session.
 *
 * @example
 * ```ts
 * import { GENESIS_HASH, Waiters, type LogEnd } from 'tidemark/store';
 *
 * let end: LogEnd = { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
 * let timer: NodeJS.Timeout | undefined;
 * const waiters = new Waiters({
 *   look: async () => end,
 *   begin: () => (timer = setInterval(() => waiters.wake(), 20)),
 *   end: () => clearInterval(timer),
 * });
 * const moved = waiters.wait(end, new AbortController().signal);
 * end = { position: 1, hash: 'ab'.repeat(32), recordedAt: 5 };
 * console.log((await moved).position); // 1
 * ```
 */
export class Waiters {
  readonly #watch: Watch;
  readonly #waiting = new Set<Waiter>();
  #looking = false;
  #again = false;

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  /** As `Session.moved` promises. */
  async wait(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    if (signal.aborted) throw signal.reason;
    const { promise, resolve, reject } = Promise.withResolvers<LogEnd>();
    const deafen = listen(signal, (reason) => waiter.failed(reason));
    const leave = (): void => {
      deafen();
      if (this.#waiting.delete(waiter) && this.#waiting.size === 0) this.#watch.end();
    };
    const waiter: Waiter = {
      from,
      moved: (end) => {
        leave();
        resolve(end);
      },
      failed: (error) => {
        leave();
        reject(error);
      },
    };
    this.#waiting.add(waiter);
    if (this.#waiting.size === 1) this.#watch.begin();
    // After `begin`: later commits wake, and this look sees the commits before.
    this.wake();
    return promise;
  }

  /** The log may have moved. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    if (this.#looking) this.#again = true;
    else void this.#look();
  }

  /** All calls that wait get this error. */
  fail(error: unknown): void {
    for (const waiter of this.#waiting) waiter.failed(error);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    do {
      this.#again = false;
      // A call that comes during the look may know a newer end than the look finds: it waits for the next look.
      const asking = [...this.#waiting];
      try {
        const end = await this.#watch.look();
        for (const waiter of asking) if (!endsAt(end, waiter.from)) waiter.moved(end);
      } catch (error) {
        for (const waiter of asking) waiter.failed(error);
      }
    } while (this.#again && this.#waiting.size > 0);
    this.#looking = false;
  }
}

function endsAt(end: LogEnd, { position, hash }: LogPoint): boolean {
  return end.position === position && end.hash === hash;
}
