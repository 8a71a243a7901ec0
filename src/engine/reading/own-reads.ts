/** Pages that followers read by themselves, up to the end of the log: a few at once, the others in turn. */
import type { EventPage } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Stretch } from '../giving-way.ts';
import type { Halt } from '../halt.ts';
import { InTurn } from '../in-turn.ts';
import { Outage } from '../outage.ts';
import { nextPage, type Cursor } from './pages.ts';

/** How many read or rest at once: thousands that begin together would take every connection of the store. */
const READS_MAX = 4;

export class OwnReads {
  readonly #core: Core;
  readonly #outage: Outage;
  readonly #turns = new InTurn(READS_MAX);

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

  /** The answer is handed on at once; the turn ends after a rest. */
  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    void this.#turns.run(async () => {
      const stretch = new Stretch(this.#core);
      await ask().then(resolve, reject);
      await stretch.rest();
    });
    return promise;
  }

  /** Undefined after an outage: others have waited for their turn meanwhile. */
  async #ask(cursor: Cursor, limit: number, halt: Halt, signal: AbortSignal): Promise<EventPage | undefined> {
    // Waiting for the turn took time: the reader may have stopped, or others have met an outage.
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
}
