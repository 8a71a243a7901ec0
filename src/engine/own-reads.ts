/** Pages that followers read by themselves, on their way to the end of the log: a few at once, the others in their turn. */
import { Line } from '../line.ts';
import type { EventPage } from '../store/store.ts';
import type { Core } from './core.ts';
import type { Halt } from './halt.ts';
import { Outage } from './outage.ts';
import { nextPage, type Cursor } from './pages.ts';

/**
 * How many read at once. Thousands that begin together would take every connection of the store, and each of them would ask a
 * store that is away.
 */
const READS_MAX = 4;

export class OwnReads {
  readonly #core: Core;
  readonly #outage: Outage;
  /** In the order they came in. */
  readonly #turns = new Line<() => void>();
  #reading = 0;

  constructor(core: Core) {
    this.#core = core;
    this.#outage = new Outage(core);
  }

  /** A follower's next page, once the store answers. @throws what isn't an outage, or the reason to halt */
  async page(cursor: Cursor, limit: number, halt: Halt): Promise<EventPage> {
    for (;;) {
      const page = await halt.orElse((signal) => this.#inTurn(() => this.#ask(cursor, limit, halt, signal)));
      if (page) return page;
    }
  }

  /** Undefined after an outage: others have waited for their turn meanwhile. */
  async #ask(cursor: Cursor, limit: number, halt: Halt, signal: AbortSignal): Promise<EventPage | undefined> {
    // While this one waited for its turn somebody may have wanted no more, or others have found the store away.
    signal.throwIfAborted();
    await this.#outage.pause;
    try {
      const page = await nextPage(this.#core, cursor, limit);
      this.#outage.answered('read');
      return page;
    } catch (error) {
      await this.#outage.sitOut('read', error, halt);
      return undefined;
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#reading < READS_MAX) this.#reading += 1;
    else await new Promise<void>((resolve) => void this.#turns.add(resolve));
    try {
      return await work();
    } finally {
      // The place is handed on: whoever comes now doesn't get in between.
      const next = this.#turns.next();
      if (next) next();
      else this.#reading -= 1;
    }
  }
}
