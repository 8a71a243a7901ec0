/**
 * Making the documents of sets that are far behind: the log is folded in memory, and each document is stored once for many events.
 * While a set is made, documents are ahead of its place: nobody reads them before it has reached the place where its definition was
 * registered, and whoever folds on skips the events that they have. Sets that are at one place are made together: reading the log,
 * and the texts of its events, costs more than folding them.
 */
import type { ScannedEvent, ScanPage } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Stretch } from '../giving-way.ts';
import { Pace } from '../pace.ts';
import { eventReader } from '../reading/fold-events.ts';
import { OTHERS, Slots, UNKNOWN } from '../reading/slots.ts';
import type { StoredSet } from './set.ts';
import { Overtaken, SetMaking, type Made, type Making } from './set-making.ts';
import { lastPoint } from './slice.ts';

/** A set that is so many events behind is made, not moved on slice by slice. */
export const MAKING_EVENTS = 10_000;
/** After so many events all that has changed is stored: a crash loses no more. */
const STORE_EVENTS = 1_000_000;
/** Events of a page. */
const PAGE_EVENTS = 500;

/** Makes sets of different collections that are at one place. What becomes of each, in their order. */
export function makeTogether(core: Core, sets: readonly StoredSet[]): readonly Promise<Made>[] {
  const together = new Together(core);
  const made = sets.map((set) => together.add(set));
  void together.run();
  return made;
}

interface Member {
  readonly resolve: (made: Made) => void;
  readonly reject: (error: unknown) => void;
}

class Together {
  readonly #core: Core;
  /** Those that go on. */
  readonly #members = new Map<SetMaking, Member>();
  readonly #slots = new Slots();
  /** By slot; the first isn't used. */
  readonly #makings: (Making | undefined)[] = [undefined];
  readonly #pace: Pace;

  constructor(core: Core) {
    this.#core = core;
    this.#pace = new Pace(core.runtime);
  }

  add(set: StoredSet): Promise<Made> {
    const { promise, resolve, reject } = Promise.withResolvers<Made>();
    this.#members.set(new SetMaking(this.#core, set, this.#pace), { resolve, reject });
    return promise;
  }

  /** Never rejects: the promises of the sets do. */
  async run(): Promise<void> {
    try {
      const stretch = new Stretch(this.#core);
      let reached = Math.min(...[...this.#members.keys()].map((one) => one.stored));
      await this.#each((one) => one.claim());
      while (this.#members.size > 0) {
        await stretch.rest();
        const page = await this.#scan(reached);
        await this.#fold(page.events);
        reached = page.events.at(-1)?.position ?? reached;
        const [last, isEnd] = [reached, page.next === undefined];
        await this.#each((one) => this.#store(one, last, isEnd));
        await this.#beat();
      }
    } catch (error) {
      // What ends the reading of the log ends all of them.
      for (const { reject } of this.#members.values()) reject(error);
      this.#members.clear();
    }
  }

  /** Does something with each set: if it fails for one, the others go on. */
  async #each(work: (one: SetMaking) => Promise<void>): Promise<void> {
    for (const one of this.#members.keys()) {
      try {
        await work(one);
      } catch (error) {
        this.#failed(one, error);
      }
    }
  }

  #failed(one: SetMaking, error: unknown): void {
    this.#ended(one, ({ resolve, reject }) => (error instanceof Overtaken ? resolve(error.stepped) : reject(error)));
  }

  #ended(one: SetMaking, answer: (member: Member) => void): void {
    const member = this.#members.get(one);
    if (member) answer(member);
    this.#members.delete(one);
    one.until = -1;
  }

  readonly #rest = async (): Promise<void> => {
    await this.#pace.turn();
    await this.#beat();
  };

  async #beat(): Promise<void> {
    await this.#each((one) => one.beat());
  }

  async #scan(after: number): Promise<ScanPage> {
    const { untilClosed, watermark } = this.#core;
    const before = watermark.seen;
    const known = (document: number): boolean => this.#slots.of(document) !== UNKNOWN;
    const page = await untilClosed.scan({ after, limit: PAGE_EVENTS, known, seen: before });
    await watermark.observe(before, page.end, untilClosed, page.holds);
    const members = new Map([...this.#members.keys()].map((one) => [one.collection, one]));
    for (const { document, collection, id } of page.named) {
      const making = members.get(collection)?.named(id);
      this.#slots.put(document, making ? this.#makings.length : OTHERS, this.#makings.length);
      if (making) this.#makings.push(making);
    }
    return page;
  }

  async #fold(events: readonly ScannedEvent[]): Promise<void> {
    const read = eventReader(this.#core);
    for (const event of events) {
      const { attachments, position } = event;
      for (let index = 0; index < attachments.length; index += 2) {
        const slot = this.#slots.of(attachments[index]!);
        if (slot === OTHERS) continue;
        const making = this.#makings[slot]!;
        if (position > making.of.until) continue;
        try {
          if (making.isNew) await making.of.begin(making, this.#rest);
          making.of.fold(making, event, attachments[index + 1]!, read);
        } catch (error) {
          this.#failed(making.of, error);
        }
      }
      if (this.#pace.isOver()) await this.#rest();
    }
  }

  /** Stores what has changed, where that is much; all of it, if the set is made as far as it is. */
  async #store(one: SetMaking, reached: number, isEnd: boolean): Promise<void> {
    const isOver = isEnd || one.isLarge;
    const position = Math.min(reached, one.until);
    if (!isOver && position - one.stored < STORE_EVENTS) return;
    await one.store(await lastPoint(this.#core.untilClosed, position), isOver, this.#rest);
    if (isOver) this.#ended(one, (member) => member.resolve('over'));
  }
}
