/**
 * The end of the log, for all followers that have reached it: an application waits for it and reads it once, and hands each event
 * to the followers that want it.
 *
 * The last events are kept, and a follower goes on in them from where it stands, so no follower has a queue. One that is slower
 * than the log finds its next events gone, reads by itself, and comes back at the end.
 *
 * While no follower waits the log isn't read.
 */
import type { EventPage, LogEnd } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Halt } from '../halt.ts';
import { Audience, concerns, type Interest } from './interest.ts';
import { KeptEvent, KeptEvents } from './kept-events.ts';
import { concernsAll, Outage } from '../outage.ts';
import { OwnReads } from './own-reads.ts';
import { nextPage, PAGE } from './pages.ts';

/** How much of the log's end is kept, in events and in UTF-16 code units of their JSON texts: two pages of short events. */
const TAIL = { eventsMax: 1_000, unitsMax: 4 * 2 ** 20 };

/** How many are woken in one turn of the event loop: each takes some 10 µs. */
const WOKEN_MAX = 500;

interface Waiter {
  readonly interest: Interest;
  /** It has seen all that it wants up to here, perhaps further than the tail has read. */
  readonly after: number;
  /** Without an event it must read by itself. */
  readonly wake: (event: KeptEvent | undefined) => void;
  readonly fail: (error: unknown) => void;
}

const tails = new WeakMap<Core, Tail>();

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
  #end: LogEnd | undefined;
  /** Whether histories of documents were followed: then it is checked that the registry is still the one that pages are read by. */
  #hasDocuments = false;
  /** Of what is kept up to here that wasn't checked, or the registry was another: a history is read from the log. */
  #uncheckedUpTo = 0;
  /** Ends the reading; undefined while none waits. */
  #reading: Halt | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#outage = new Outage(core);
    this.ownReads = new OwnReads(core);
  }

  /** A follower has read up to this end: if none waits, the tail goes on from there. */
  join(end: LogEnd): void {
    if (this.#reading || (this.#end && end.position <= this.#kept.reached)) return;
    this.#kept = new KeptEvents(end.position, TAIL);
    this.#end = end;
  }

  /**
   * Waits for the next event after a position that is of interest; after `join`.
   *
   * @returns undefined if the events after that position must be read from the log: not all are kept, or one is damaged
   * @throws the reason to halt; HistoryDiverged, or another error of the store but an outage, which is waited for
   */
  async next(interest: Interest, after: number, halt: Halt): Promise<KeptEvent | undefined> {
    this.#core.watermark.assertWhole();
    if (!this.#kept.hasAllAfter(after)) return undefined;
    if (interest.document) {
      if (!this.#hasDocuments) this.#uncheckedUpTo = this.#kept.reached;
      this.#hasDocuments = true;
      if (after < this.#uncheckedUpTo) return undefined;
    }
    const found = this.#kept.find(after, (event) => concerns(interest, event));
    if (found) return found;
    const { promise, resolve, reject } = Promise.withResolvers<KeptEvent | undefined>();
    // It has looked up to here.
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

  /** Reads while a follower waits. Never rejects: the followers get the errors. */
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

  #dismiss(how: (waiter: Waiter) => void, whom = this.#waiting.everybody()): void {
    for (const waiter of whom) {
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

  /** Reads a page, and hands it out. Whether that was the end. */
  async #readOn(halt: Halt): Promise<boolean> {
    const { session } = this.#core;
    const cursor = {
      read: (limit: number) => session.read({ after: this.#kept.reached, limit }),
      begun: async () => undefined,
      // Not here: a reading that has ended may still be answered, while the next one asks for the same page.
      pass: () => undefined,
    };
    const { generation } = this.#core.membership;
    let page: EventPage;
    let isSame = true;
    try {
      page = await halt.orElse(async () => {
        const read = await nextPage(this.#core, cursor, PAGE);
        if (this.#hasDocuments) isSame = (await session.load([])).generation === generation;
        return read;
      });
      this.#outage.answered('read');
    } catch (error) {
      halt.assertGoing();
      // Damage of one event concerns no other: each follower reads what it wants, and meets it or not.
      if (!concernsAll(error)) this.#dismiss(({ wake }) => wake(undefined));
      else await this.#outage.sitOut('read', error, halt);
      return false;
    }
    await this.#handOut(page, halt, isSame);
    return page.next === undefined;
  }

  async #handOut({ events, end }: EventPage, halt: Halt, isSame: boolean): Promise<void> {
    const kept = events.map((stored) => new KeptEvent(this.#core.events, stored));
    // Before any follower is woken, as it looks for the next one.
    this.#kept.add(kept);
    this.#end = end;
    if (!isSame) {
      // Another server has changed the registry: perhaps these events aren't attached to what is followed here any more. Who follows
      // a history reads by itself, and is told.
      this.#uncheckedUpTo = this.#kept.reached;
      const ofDocuments = this.#waiting.everybody().filter(({ interest }) => interest.document);
      this.#dismiss(({ wake }) => wake(undefined), ofDocuments);
    }
    let woken = 0;
    for (const event of kept) {
      for (const waiter of this.#waiting.of(event.stored)) {
        if (event.stored.position <= waiter.after) continue;
        waiter.wake(event);
        this.#leave(waiter);
        woken += 1;
        if (woken % WOKEN_MAX > 0) continue;
        await this.#core.runtime.turn();
        // Followers that wait now have seen all that is kept.
        if (halt.stopped) return;
      }
    }
  }
}
