/** What of a session runs in threads of its own (aside.ts), so that closing it can end them. */
import { within } from '../../within.ts';
import { Aside } from './aside.ts';
import type { AsideOptions } from './aside.ts';

/** How long closing waits for threads to end that are in the middle of a statement, in milliseconds. */
const LET_GO_MS = 500;

export class Asides {
  readonly #url: URL;
  readonly #timeout: number;
  readonly #closed: () => Error;
  readonly #running = new Set<Aside>();

  /** @param timeout how long each waits for a lock, in milliseconds @param closed makes what is told once the session is closed */
  constructor(url: URL, timeout: number, closed: () => Error) {
    this.#url = url;
    this.#timeout = timeout;
    this.#closed = closed;
  }

  /** Runs `work` on a connection in a thread of its own, which ends with it. */
  async run<T>(options: Omit<AsideOptions, 'timeout'>, work: (aside: Aside) => Promise<T>): Promise<T> {
    const aside = new Aside(this.#url, { ...options, timeout: this.#timeout });
    this.#running.add(aside);
    try {
      return await work(aside);
    } finally {
      await this.#dismiss(aside);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#running, (aside) => within(this.#dismiss(aside), LET_GO_MS)));
  }

  async #dismiss(aside: Aside): Promise<void> {
    this.#running.delete(aside);
    await aside.end(this.#closed());
  }
}
