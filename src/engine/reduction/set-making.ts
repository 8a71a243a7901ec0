/**
 * One of the sets that are made: its documents in memory, and how they are stored.
 *
 * One server makes a set. It says so by a hash of its own in the place, which every step changes: another server that looks sees that
 * the set is being made, and takes over when the hash stays the same. After that nothing of the first one is stored any more.
 */
import { hasCode } from '../../errors.ts';
import { STORED_STATE_BYTES_MAX } from '../../limits.ts';
import { unborn, type Folded } from '../../model/reduce.ts';
import { Twins } from '../../model/same-items.ts';
import { STEP_DOCUMENTS_MAX, type LogPoint, type ScannedEvent, type Stepped } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Pace } from '../pace.ts';
import { foldEvent, type ReadEvent } from '../reading/fold-events.ts';
import { failureText, isTooLarge, knownFrom, type Known } from '../reading/stored-document.ts';
import { refreshMembership } from '../registry/refresh.ts';
import { draftedInTurns, gathered, type Change } from './drafted.ts';
import { makingAt } from './marks.ts';
import type { StoredSet } from './set.ts';

/** Documents, and bytes of their states, that are kept in memory for it. Larger sets are moved on slice by slice. */
const DOCUMENTS_MAX = 200_000;
const BYTES_MAX = 256 * 1024 * 1024;
/** How often it is shown that somebody is at it, in milliseconds. */
const BEAT_MS = 500;
/** How often a step is made again because the registry has changed. */
const TRIES_MAX = 10;

const NOTHING_STORED = { documents: [], more: false };

/** A document that events name. Its fold in one object: waiting for memory, once for each object, costs most of making. */
export interface Making {
  readonly id: string;
  readonly of: SetMaking;
  version: number;
  changed: number;
  state: unknown;
  bytes: number;
  failed: string | undefined;
  /** As it is stored. */
  was: Known | undefined;
  /** Before its state became too large to be stored. */
  fits: Folded | undefined;
  /** How it is stored isn't known yet. */
  isNew: boolean;
  isChanged: boolean;
}

/** `over`: it is near the end of the log, or too large: slices go on. */
export type Made = Exclude<Stepped, 'stored'> | 'over';

/** Another server has taken over, or the set is gone: nothing more is stored. */
export class Overtaken extends Error {
  readonly stepped: Exclude<Stepped, 'stored'>;

  constructor(stepped: Exclude<Stepped, 'stored'>) {
    super(stepped);
    this.stepped = stepped;
  }
}

export class SetMaking {
  readonly #core: Core;
  readonly #set: StoredSet;
  readonly #makings: Making[] = [];
  /** So many of them aren't new any more. */
  #begun = 0;
  readonly #lists = new Twins();
  readonly #pace: Pace;
  /** Whether anything is stored already. */
  #holdsAny = true;
  #bytes = 0;
  #place: LogPoint;
  #beatAt: number;
  /** It takes no events after this position: it has become too large there. */
  until = Infinity;

  constructor(core: Core, set: StoredSet, pace: Pace) {
    this.#core = core;
    this.#set = set;
    this.#place = set.place!;
    this.#pace = pace;
    this.#beatAt = core.runtime.elapsed();
  }

  get collection(): string {
    return this.#set.collection.name;
  }

  /** Where it is stored. */
  get stored(): number {
    return this.#place.position;
  }

  get isLarge(): boolean {
    return this.until < Infinity;
  }

  /** Stores that this server is at it. @throws Overtaken */
  async claim(): Promise<void> {
    await this.#step([], makingAt(this.#core.runtime, this.#place));
    this.#holdsAny = (await this.#hasStored(false)) || (await this.#hasStored(true));
  }

  /** Stores now and then that it still is. @throws Overtaken */
  async beat(): Promise<void> {
    if (this.#core.runtime.elapsed() - this.#beatAt < BEAT_MS) return;
    await this.#step([], makingAt(this.#core.runtime, this.#place));
  }

  /** A document that an event names. */
  named(id: string): Making {
    const making = {
      id,
      of: this,
      version: 0,
      changed: 0,
      state: null,
      bytes: 0,
      failed: undefined,
      was: undefined,
      fits: undefined,
      isNew: true,
      isChanged: false,
    };
    this.#makings.push(making);
    return making;
  }

  /** Reads how new documents are stored, up to this one: as many as there is room for in an answer. @throws Overtaken */
  async begin(making: Making, rest: () => Promise<void>): Promise<void> {
    const { number, collection } = this.#set;
    while (making.isNew) {
      const asked = new Map<string, Making>([[making.id, making]]);
      while (this.#begun < this.#makings.length && !this.#makings[this.#begun]!.isNew) this.#begun += 1;
      for (let at = this.#begun; at < this.#makings.length && asked.size < STEP_DOCUMENTS_MAX; at += 1) {
        const other = this.#makings[at]!;
        if (other.isNew) asked.set(other.id, other);
      }
      const ids = [...asked.keys()];
      const page = this.#holdsAny ? await this.#core.untilClosed.stored({ set: number, ids }) : NOTHING_STORED;
      if (!page) throw new Overtaken('behind');
      for (const stored of page.documents) {
        this.#keep(asked.get(stored.id)!, knownFrom(collection.name, stored));
        asked.delete(stored.id);
        if (this.#pace.isOver()) await rest();
      }
      if (!page.more) for (const other of asked.values()) this.#keep(other, undefined);
    }
  }

  fold(making: Making, event: ScannedEvent, version: number, read: ReadEvent): void {
    const { collection } = this.#set;
    // It is ahead of its set, or failed there.
    if (making.failed !== undefined || version <= making.version) return;
    if (version !== making.version + 1) throw this.#set.gap(making.id, making.version, version);
    const { folded, error } = foldEvent(read, collection, making.id, making, event, version, this.#lists);
    if (error !== undefined) making.failed = failureOf(error);
    this.#bytes -= weight(making);
    if (folded.bytes > STORED_STATE_BYTES_MAX) making.fits ??= beforeLarge(making);
    else making.fits = undefined;
    take(making, folded);
    making.isChanged = true;
    this.#bytes += weight(making);
    if (this.#bytes > BYTES_MAX || this.#makings.length > DOCUMENTS_MAX)
      this.until = Math.min(this.until, event.position);
  }

  /** Stores all documents that have changed, in several steps; the last moves the set on. @throws Overtaken */
  async store(to: LogPoint, isOver: boolean, rest: () => Promise<void>): Promise<void> {
    const last = isOver ? to : makingAt(this.#core.runtime, to);
    let left = this.#makings.filter(({ isChanged }) => isChanged);
    do {
      left = left.slice(await this.#step(left, last));
      await rest();
    } while (left.length > 0);
  }

  /**
   * Stores documents: as many as a step may weigh. If these are all, the set is moved on. Returns how many.
   *
   * @throws Overtaken if nothing is stored
   */
  async #step(makings: readonly Making[], to: LogPoint): Promise<number> {
    const core = this.#core;
    for (let tries = 0; ; tries += 1) {
      const { generation } = core.membership;
      const changes = makings.slice(0, STEP_DOCUMENTS_MAX).map(changeOf);
      const documents = await draftedInTurns(this.collection, this.#set.indexes(), changes, this.#pace);
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
      if (stepped !== 'behind' || tries === TRIES_MAX) throw new Overtaken(stepped);
      // Another server has registered something. Nearly always this set is still there.
      await refreshMembership(core, core.untilClosed);
      if (core.membership.generation === generation) throw new Overtaken(stepped);
    }
  }

  #took(making: Making, now: Known): void {
    this.#bytes -= weight(making);
    making.was = now;
    making.fits = undefined;
    making.isChanged = false;
    this.#bytes += weight(making);
  }

  async #hasStored(failed: boolean): Promise<boolean> {
    const page = await this.#core.untilClosed.stored({ set: this.#set.number, failed, limit: 1 });
    if (!page) throw new Overtaken('behind');
    return page.documents.length > 0;
  }

  #keep(making: Making, was: Known | undefined): void {
    making.isNew = false;
    making.was = was;
    making.failed = was?.failed;
    // What has come since it was stored isn't at hand.
    if (isTooLarge(was)) this.#set.unsure.add(making.id);
    if (was) take(making, was.folded);
    else this.#bear(making);
    this.#bytes += weight(making);
  }

  #bear(making: Making): void {
    try {
      take(making, unborn(this.#set.collection, making.id));
    } catch (error) {
      making.failed = failureOf(error);
      making.isChanged = true;
    }
  }
}

function take(making: Making, { version, changed, state, bytes }: Folded): void {
  making.version = version;
  making.changed = changed;
  making.state = state;
  making.bytes = bytes;
}

/** Undefined if it is too large already, or has no event yet. */
function beforeLarge({ version, changed, state, bytes }: Making): Folded | undefined {
  return version > 0 && bytes <= STORED_STATE_BYTES_MAX ? { version, changed, state, bytes } : undefined;
}

function changeOf({ id, was, fits, version, changed, state, bytes, failed }: Making): Change {
  return { id, was, fits, now: { folded: { version, changed, state, bytes }, failed } };
}

/** Bytes that a document takes in memory, at least. */
function weight({ was, fits, state, bytes }: Making): number {
  return bytes + (fits?.bytes ?? 0) + (was && was.folded.state !== state ? was.folded.bytes : 0);
}

/** @throws errors that don't concern this document alone */
function failureOf(error: unknown): string {
  if (!hasCode(error, 'ReducerFailed', 'UpcastFailed')) throw error;
  return failureText(error);
}
