/**
 * The end of the log, for all who have come to it: it is waited for and read once an application, and each event is handed
 * to those who want it. Whoever isn't concerned isn't touched.
 *
 * The last events are kept, and a follower goes on in them from where it stands. So nobody has a queue of its own: one that
 * is slower than the log finds that what it wants next has gone, reads by itself from its cursor, and comes back at the end.
 * It costs no memory, and holds nobody up.
 *
 * While nobody waits the log isn't read: a follower that is never asked again keeps nothing going.
 */
import type { EventPage, LogEnd } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { concernsAll } from '../concerns-all.ts';
import { Halt } from '../halt.ts';
import { Audience, concerns, type Interest } from './interest.ts';
import { KeptEvent, KeptEvents } from './kept-events.ts';
import { Outage } from '../outage.ts';
import { OwnReads } from './own-reads.ts';
import { nextPage, PAGE } from './pages.ts';

/** How much is kept of the log's end, in events and in UTF-16 code units of their JSON texts: two pages of short events. */
const TAIL = { eventsMax: 1_000, unitsMax: 4 * 2 ** 20 };

/** How many are woken in one turn of the event loop: each takes some 10 µs, and nobody else is served meanwhile. */
const WOKEN_MAX = 500;

interface Waiter {
  readonly interest: Interest;
  /** Up to where it has seen all that it wants, perhaps further than the tail has read. */
  readonly after: number;
  /** Without an event it is to read by itself. */
  readonly wake: (event: KeptEvent | undefined) => void;
  readonly fail: (error: unknown) => void;
}

const tails = new WeakMap<Core, Tail>();

/** An application's, made for its first follower. */
export function tailOf(core: Core): Tail {
  const known = tails.get(core) ?? new Tail(core);
  tails.set(core, known);
  return known;
}

export class Tail {
  readonly ownReads: OwnReads;
  readonly #core: Core;
  readonly #outage: Outage;
  readonly #waiting = new Audience<Waiter>();
  #kept = new KeptEvents(0, TAIL);
  /** The end of the log when it was last read. */
  #end: LogEnd | undefined;
  /** What ends the reading; undefined while nobody waits. */
  #reading: Halt | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#outage = new Outage(core);
    this.ownReads = new OwnReads(core);
  }

  /** Somebody has read up to this end: if nobody waits, the log is gone on with from there. */
  join(end: LogEnd): void {
    if (this.#reading || (this.#end && end.position <= this.#kept.reached)) return;
    this.#kept = new KeptEvents(end.position, TAIL);
    this.#end = end;
  }

  /**
   * Waits for the next event after a position that is of interest. Called by one that has joined.
   *
   * @returns undefined if not all events after that position are kept, or one of them is damaged: then they must be read from
   * the log
   * @throws the reason to halt, or what keeps the log from being read; HistoryDiverged. An outage is waited for
   */
  async next(interest: Interest, after: number, halt: Halt): Promise<KeptEvent | undefined> {
    this.#core.watermark.assertWhole();
    if (!this.#kept.hasAllAfter(after)) return undefined;
    const found = this.#kept.find(after, (event) => concerns(interest, event));
    if (found) return found;
    const { promise, resolve, reject } = Promise.withResolvers<KeptEvent | undefined>();
    // Up to here it has looked.
    const seen = Math.max(after, this.#kept.reached);
    const waiter: Waiter = { interest, after: seen, wake: resolve, fail: reject };
    this.#waiting.add(waiter);
    if (!this.#reading) void this.#follow((this.#reading = new Halt([])));
    try {
      return await halt.orElse(() => promise);
    } finally {
      this.#leave(waiter);
    }
  }

  #leave(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    if (this.#waiting.size > 0) return;
    this.#reading?.stop();
    this.#reading = undefined;
  }

  /** Goes on while somebody waits. Never rejects: what goes wrong is told to those who wait. */
  async #follow(halt: Halt): Promise<void> {
    try {
      let atEnd = this.#kept.reached === this.#end!.position;
      while (!halt.stopped) {
        if (atEnd) await this.#moved(halt);
        atEnd = await this.#readOn(halt);
      }
    } catch (error) {
      if (halt.stopped) return;
      this.#dismiss(({ fail }) => fail(error));
    }
  }

  #dismiss(how: (waiter: Waiter) => void): void {
    for (const waiter of this.#waiting.everybody()) {
      how(waiter);
      this.#leave(waiter);
    }
  }

  async #moved(halt: Halt): Promise<void> {
    try {
      await halt.orElse((signal) => this.#core.session.moved(this.#end!, signal));
      this.#outage.answered('moved');
    } catch (error) {
      await this.#outage.sitOut('moved', error, halt);
    }
  }

  /** Reads a page, and hands it out. Whether that was all up to the end. */
  async #readOn(halt: Halt): Promise<boolean> {
    const { session } = this.#core;
    const cursor = {
      read: (limit: number) => session.read({ after: this.#kept.reached, limit }),
      begun: async () => undefined,
      // Not here: a reading that was ended may still be answered, while the next one asks for the same page.
      pass: () => undefined,
    };
    let page: EventPage;
    try {
      page = await halt.orElse(() => nextPage(this.#core, cursor, PAGE));
      this.#outage.answered('read');
    } catch (error) {
      halt.assertGoing();
      // Damage of one event is no other's to hear: each reads what it wants, and meets it or doesn't.
      if (!concernsAll(error)) this.#dismiss(({ wake }) => wake(undefined));
      else await this.#outage.sitOut('read', error, halt);
      return false;
    }
    await this.#handOut(page, halt);
    return page.next === undefined;
  }

  async #handOut({ events, end }: EventPage, halt: Halt): Promise<void> {
    const kept = events.map((stored) => new KeptEvent(this.#core.events, stored));
    // Before anybody is woken, who would look for the next one.
    this.#kept.add(kept);
    this.#end = end;
    let woken = 0;
    for (const event of kept) {
      for (const waiter of this.#waiting.of(event.stored)) {
        if (event.position <= waiter.after) continue;
        waiter.wake(event);
        this.#leave(waiter);
        woken += 1;
        if (woken % WOKEN_MAX > 0) continue;
        await this.#core.runtime.turn();
        // Whoever waits now has looked at all that is kept.
        if (halt.stopped) return;
      }
    }
  }
}
