/**
 * Making the documents of a set that is far behind: the log is folded in memory, and each document is stored once for many events.
 * While it is made, documents are ahead of the place of their set: nobody reads them before it has reached the place where its
 * definition was registered, and whoever folds on skips the events that they have.
 *
 * One server makes a set. It says so by a hash of its own in the place, which every step changes: another server that looks sees that
 * the set is being made, and takes over when the hash stays the same. After that nothing of the first one is stored any more.
 */
import { hasCode } from '../../errors.ts';
import { Twins } from '../../model/same-items.ts';
import {
  STEP_DOCUMENTS_MAX,
  type LogPoint,
  type ScannedEvent,
  type ScanPage,
  type Stepped,
} from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Stretch } from '../giving-way.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { Pace } from '../pace.ts';
import { eventReader, foldEvent, type ReadEvent } from '../reading/fold-events.ts';
import { draftedInTurns, gathered, type Change } from './drafted.ts';
import { makingAt } from './marks.ts';
import type { StoredSet } from './set.ts';
import { lastPoint } from './slice.ts';
import { failureText, knownFrom, NOTHING, type Known } from '../reading/stored-document.ts';
import { unborn, type Folded } from '../../model/reduce.ts';

/** A set that is so many events behind is made, not moved on slice by slice. */
export const MAKING_EVENTS = 10_000;
/** Documents, and bytes of their states, that are kept in memory for it. Larger sets are moved on slice by slice. */
const DOCUMENTS_MAX = 200_000;
const BYTES_MAX = 256 * 1024 * 1024;
/** After so many events all that has changed is stored: a crash loses no more. */
const STORE_EVENTS = 500_000;
/** How often it is shown that somebody is at it, in milliseconds. */
const BEAT_MS = 500;
/** How often a step is made again because the registry has changed. */
const TRIES_MAX = 10;
/** Events of a page. */
const PAGE_EVENTS = 500;

const NOTHING_STORED = { documents: [], more: false };

interface Making {
  readonly id: string;
  folded: Folded;
  failed: string | undefined;
  /** As it is stored. */
  was: Known | undefined;
  isChanged: boolean;
}

/** `over`: it is near the end of the log, or too large: slices go on. */
export type Made = Exclude<Stepped, 'stored'> | 'over';

/** Another server has taken over, or the set is gone: nothing more is stored. */
class Overtaken extends Error {
  readonly stepped: Exclude<Stepped, 'stored'>;

  constructor(stepped: Exclude<Stepped, 'stored'>) {
    super(stepped);
    this.stepped = stepped;
  }
}

export class SetMaking {
  readonly #core: Core;
  readonly #set: StoredSet;
  /** By the store's numbers; undefined for documents of other collections. */
  readonly #documents = new Map<number, Making | undefined>();
  /** Ids of documents that events name, in that order: how they are stored isn't known yet. */
  readonly #named = new Map<number, string>();
  readonly #lists = new Twins();
  readonly #pace: Pace;
  /** Whether anything is stored already. */
  #holdsAny = true;
  #bytes = 0;
  #place: LogPoint;
  /** Why it ended early. */
  #overtaken: Overtaken | undefined;
  #beatAt: number;

  constructor(core: Core, set: StoredSet) {
    this.#core = core;
    this.#set = set;
    this.#place = set.place!;
    this.#pace = new Pace(core.runtime);
    this.#beatAt = core.runtime.elapsed();
  }

  async run(): Promise<Made> {
    try {
      await this.#claim();
      this.#holdsAny = (await this.#hasStored(false)) || (await this.#hasStored(true));
      await this.#make();
      return 'over';
    } catch (error) {
      if (error === this.#overtaken) return this.#overtaken!.stepped;
      throw error;
    }
  }

  #ended(stepped: Overtaken['stepped']): Overtaken {
    this.#overtaken = new Overtaken(stepped);
    return this.#overtaken;
  }

  async #make(): Promise<void> {
    const stretch = new Stretch(this.#core);
    let reached = this.#place.position;
    let stored = reached;
    for (;;) {
      await stretch.rest();
      const page = await this.#scan(reached);
      reached = (await this.#fold(page.events)) ?? reached;
      const isOver = page.next === undefined || this.#isLarge;
      if (isOver || reached - stored >= STORE_EVENTS) {
        await this.#store(await lastPoint(this.#core.untilClosed, reached), isOver);
        stored = reached;
      }
      if (isOver) return;
      await this.#beat();
    }
  }

  get #isLarge(): boolean {
    return this.#documents.size > DOCUMENTS_MAX || this.#bytes > BYTES_MAX;
  }

  /** Stores that this server is at it. */
  async #claim(): Promise<void> {
    await this.#step([], makingAt(this.#core.runtime, this.#place));
  }

  /** Stores now and then that it still is. */
  async #beat(): Promise<void> {
    if (this.#core.runtime.elapsed() - this.#beatAt >= BEAT_MS) await this.#claim();
  }

  async #rest(): Promise<void> {
    await this.#pace.turn();
    await this.#beat();
  }

  /**
   * Stores documents: as many as a step may weigh. If these are all, the set is moved on. Returns how many.
   *
   * @throws Overtaken if nothing is stored
   */
  async #step(makings: readonly Making[], to: LogPoint): Promise<number> {
    const core = this.#core;
    const { name } = this.#set.collection;
    for (let tries = 0; ; tries += 1) {
      const { generation } = core.membership;
      const changes = makings.slice(0, STEP_DOCUMENTS_MAX).map(changeOf);
      const documents = await draftedInTurns(name, this.#set.indexes(), changes, this.#pace);
      const isLast = documents.length === makings.length;
      const place = isLast ? to : makingAt(core.runtime, this.#place);
      const stepped = await this.#set.advance({ generation, from: this.#place, to: place, ...gathered(documents) });
      if (stepped === 'stored') {
        this.#beatAt = core.runtime.elapsed();
        this.#place = place;
        this.#set.took(documents, place);
        for (const [index, { now }] of documents.entries()) this.#took(makings[index]!, now);
        return documents.length;
      }
      if (stepped !== 'behind' || tries === TRIES_MAX) throw this.#ended(stepped);
      // Another server has registered something. Nearly always this set is still there.
      await refreshMembership(core, core.untilClosed);
      if (core.membership.generation === generation) throw this.#ended(stepped);
    }
  }

  #took(making: Making, now: Known): void {
    this.#bytes -= weight(making);
    making.was = now;
    making.isChanged = false;
    this.#bytes += weight(making);
  }

  async #hasStored(failed: boolean): Promise<boolean> {
    const page = await this.#core.untilClosed.stored({ set: this.#set.number, failed, limit: 1 });
    if (!page) throw this.#ended('behind');
    return page.documents.length > 0;
  }

  async #scan(after: number): Promise<ScanPage> {
    const { untilClosed, watermark } = this.#core;
    const before = watermark.seen;
    const known = (document: number): boolean => this.#documents.has(document) || this.#named.has(document);
    const page = await untilClosed.scan({ after, limit: PAGE_EVENTS, known, seen: before });
    await watermark.observe(before, page.end, untilClosed, page.holds);
    for (const { document, collection, id } of page.named) {
      if (collection === this.#set.collection.name) this.#named.set(document, id);
      else this.#documents.set(document, undefined);
    }
    return page;
  }

  /** The position that was reached: not the last one if the documents have become too large before. */
  async #fold(events: readonly ScannedEvent[]): Promise<number | undefined> {
    const read = eventReader(this.#core);
    let reached: number | undefined;
    for (const event of events) {
      const { attachments } = event;
      for (let index = 0; index < attachments.length; index += 2) {
        const document = attachments[index]!;
        if (this.#named.has(document)) await this.#begin(document);
        const making = this.#documents.get(document);
        if (making) this.#foldOne(making, event, attachments[index + 1]!, read);
      }
      reached = event.position;
      if (this.#isLarge) break;
      if (this.#pace.isOver()) await this.#rest();
    }
    return reached;
  }

  /** Reads how a document is stored, and some that come after it: as many as there is room for in an answer. */
  async #begin(document: number): Promise<void> {
    const { number, collection } = this.#set;
    while (this.#named.has(document)) {
      const asked = new Map<string, number>([[this.#named.get(document)!, document]]);
      for (const [other, id] of this.#named) {
        if (asked.size === STEP_DOCUMENTS_MAX) break;
        asked.set(id, other);
      }
      const ids = [...asked.keys()];
      const page = this.#holdsAny ? await this.#core.untilClosed.stored({ set: number, ids }) : NOTHING_STORED;
      if (!page) throw this.#ended('behind');
      for (const stored of page.documents) {
        this.#keep(asked.get(stored.id)!, stored.id, knownFrom(collection.name, stored));
        asked.delete(stored.id);
        if (this.#pace.isOver()) await this.#rest();
      }
      if (!page.more) for (const [id, other] of asked) this.#keep(other, id, undefined);
    }
  }

  #keep(document: number, id: string, was: Known | undefined): void {
    const making = was ? { id, folded: was.folded, failed: was.failed, was, isChanged: false } : this.#unborn(id);
    this.#named.delete(document);
    this.#documents.set(document, making);
    this.#bytes += weight(making);
  }

  #unborn(id: string): Making {
    try {
      return { id, folded: unborn(this.#set.collection, id), failed: undefined, was: undefined, isChanged: false };
    } catch (error) {
      return { id, folded: NOTHING, failed: failureOf(error), was: undefined, isChanged: true };
    }
  }

  #foldOne(making: Making, event: ScannedEvent, version: number, read: ReadEvent): void {
    const { collection } = this.#set;
    // It is ahead of its set, or failed there.
    if (making.failed !== undefined || version <= making.folded.version) return;
    if (version !== making.folded.version + 1) throw this.#set.gap(making.id, making.folded.version, version);
    const { folded, error } = foldEvent(read, collection, making.id, making.folded, event, version, this.#lists);
    if (error !== undefined) making.failed = failureOf(error);
    this.#bytes -= weight(making);
    making.folded = folded;
    making.isChanged = true;
    this.#bytes += weight(making);
  }

  /** Stores all documents that have changed, in several steps; the last moves the set on. */
  async #store(to: LogPoint, isOver: boolean): Promise<void> {
    const { runtime } = this.#core;
    const changed = [...this.#documents.values()].filter((making) => making?.isChanged === true) as Making[];
    const last = isOver ? to : makingAt(runtime, to);
    let left = changed;
    do {
      left = left.slice(await this.#step(left, last));
      await this.#pace.turn();
    } while (left.length > 0);
  }
}

function changeOf({ id, was, folded, failed }: Making): Change {
  return { id, was, now: { folded, failed } };
}

/** Bytes that a document takes in memory, at least. */
function weight({ was, folded }: Making): number {
  return folded.bytes + (was && was.folded.state !== folded.state ? was.folded.bytes : 0);
}

/** @throws errors that don't concern this document alone */
function failureOf(error: unknown): string {
  if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
  return failureText(error);
}
