/**
 * Filling a keying: the log's old events are attached portion by portion while others write. The last portion is attached under the
 * write lock together with the switch to `live`, after which every server attaches what it stores. A portion is stored only if the
 * keying is still where it was: of two servers that try, one goes on and the other steps aside.
 */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { FoundIds, Keying, Locked, LogPoint, ScannedEvent, ScanPage, Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Pace } from '../pace.ts';
import { Finders } from './finders.ts';
import { inPortion, type Portions } from './portions.ts';

/** Events of a page. */
const PAGE_EVENTS = 700;

const named = (): boolean => true;

export interface Pacing {
  readonly portions: Portions;
  /** Awaited between portions: others have their turn. */
  readonly rest: () => Promise<void>;
}

/**
 * Attaches the next page of the keying of a collection. False if another server is at it: the keying isn't filling from there any more.
 *
 * @throws HistoryDiverged if the store doesn't hold the events of the page when they are to be attached
 */
export async function fillKeying(core: Core, collection: CollectionDefinition, pacing: Pacing): Promise<boolean> {
  const answer = await new Filling(core, collection, pacing).page();
  if (answer === 'diverged') throw core.watermark.diverge();
  // Who is behind looks at the registry again, and goes on.
  return answer !== 'moved';
}

/** Where a portion begins and ends, and what is found in it. */
interface Portion {
  readonly from: number;
  readonly to: number;
  readonly attachments: readonly FoundIds[];
  readonly ids: number;
  /** The events of the page that come after it. */
  readonly left: readonly ScannedEvent[];
}

class Filling {
  readonly #core: Core;
  readonly #keying: Keying;
  readonly #generation: number;
  readonly #finders: Finders;
  readonly #pacing: Pacing;

  constructor(core: Core, collection: CollectionDefinition, pacing: Pacing) {
    const { generation, own } = core.membership;
    this.#core = core;
    this.#generation = generation;
    this.#keying = own.get(collection.name)!.keying;
    this.#finders = new Finders(core, collection, this.#keying);
    this.#pacing = pacing;
  }

  async page(): Promise<Stepped> {
    const page = await this.#scanned();
    let portion = await this.#portion(this.#keying.filled, page.events);
    while (portion.left.length > 0) {
      const answer = await this.#attach(portion, page.end);
      if (answer !== 'stored') return answer;
      await this.#pacing.rest();
      portion = await this.#portion(portion.to, portion.left);
    }
    if (page.next !== undefined) return this.#attach(portion, page.end);
    // The switch to `live` is durable: from then on others rely on it.
    return this.#core.session.exclusive((locked) => this.#last(locked, portion, page.end));
  }

  async #scanned(): Promise<ScanPage> {
    const { untilClosed, watermark } = this.#core;
    const before = watermark.seen;
    const range = { after: this.#keying.filled, limit: PAGE_EVENTS, known: named, seen: before };
    const page = await untilClosed.scan(range);
    await watermark.observe(before, page.end, untilClosed, page.holds);
    return page;
  }

  /** The ids of the first of these events: as many as are attached at once, and of at least one event. */
  async #portion(from: number, events: readonly ScannedEvent[]): Promise<Portion> {
    const attachments: FoundIds[] = [];
    const most = this.#pacing.portions.size;
    const pace = new Pace(this.#core.runtime);
    let [count, ids] = [0, 0];
    while (count < events.length && ids < most) {
      const event = events[count]!;
      const found = this.#finders.idsOf(event);
      if (count > 0 && ids + found.length > most) break;
      if (found.length > 0) attachments.push({ position: event.position, type: event.type, ids: found });
      ids += found.length;
      count += 1;
      if (pace.isOver()) await pace.turn();
    }
    return { from, to: events[count - 1]?.position ?? from, attachments, ids, left: events.slice(count) };
  }

  #attach(portion: Portion, seen: LogPoint): Promise<Stepped> {
    const page = { ...this.#attached(portion, seen), live: false };
    return inPortion(this.#core, this.#pacing.portions, portion.ids, (locked) => locked.attach(page));
  }

  /** What was found of the last portion still holds; what came since is attached too, if it is little. */
  async #last(locked: Locked, before: Portion, seen: LogPoint): Promise<Stepped> {
    const range = { after: before.to, limit: PAGE_EVENTS, known: named, seen };
    const { events, end, holds, next } = await locked.scan(range);
    if (!holds) return 'diverged';
    const { attachments, to, left } = await this.#portion(before.to, events);
    const both = { from: before.from, to, attachments: [...before.attachments, ...attachments] };
    return locked.attach({ ...this.#attached(both, end), live: next === undefined && left.length === 0 });
  }

  #attached({ from, to, attachments }: Pick<Portion, 'from' | 'to' | 'attachments'>, seen: LogPoint) {
    return { keying: this.#keying.name, generation: this.#generation, from, to, seen, attachments };
  }
}
