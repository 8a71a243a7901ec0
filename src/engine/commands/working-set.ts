/**
 * The documents of one batch while it is decided: each as stored, and as the batch's own commits leave it. A command is decided
 * on the state that its predecessors left, so a hot document costs no more than a cold one.
 */
import { hasCode } from '../../errors.ts';
import { rebuilding } from '../registry/readiness.ts';
import { unknownCollection } from '../not-given.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { MadeEvent } from '../../model/make-event.ts';
import { reduce, unborn, type Folded } from '../../model/reduce.ts';
import type { DocumentRef, DocumentVersion } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Brought, LateDocuments } from './late.ts';
import { DocumentMap } from '../../document-map.ts';
import { Loading, type Wanted, type LoadingCalls } from '../reading/document-reader.ts';

export interface Working {
  readonly collection: CollectionDefinition;
  readonly id: string;
  /** As stored, at the version that the batch is checked against. */
  readonly stored: Folded;
  /** After the batch's commits so far. */
  now: Folded;
  /** Its index among the ground of the batch. */
  row: number | undefined;
  /** The ground of the last command that rests on it. */
  ground: object | undefined;
  /** Why it can't be folded, and whether an event of the batch is the reason. */
  error: unknown;
  refusesBatch: boolean;
}

/** What commands are decided on. */
export interface Footing {
  /** Which cached documents are used as they are: all, the tracked ones, or none (under the write lock). Others are loaded. */
  readonly ground: 'cached' | 'tracked' | 'loaded';
  /** Loads documents that take long; without it all are waited for. */
  readonly late?: LateDocuments | undefined;
}

interface Pending {
  readonly made: MadeEvent;
  readonly time: number;
}

/** A document that can't be read. */
const UNKNOWN: Folded = Object.freeze({ version: 0, changed: 0, state: undefined, bytes: 0 });

export class WorkingSet {
  /** The cache's when the batch was begun. */
  readonly epoch: number;
  readonly #core: Core;
  readonly #io: LoadingCalls;
  readonly #ground: Footing['ground'];
  readonly #beside: LateDocuments | undefined;
  readonly #documents = new DocumentMap<Working>();
  /** Documents that take long to load, and come into the cache beside this batch. */
  readonly #late = new DocumentMap<true>();
  /** Documents loaded for commands of this batch that the cache didn't take; later events are loaded on top. */
  readonly #brought: DocumentMap<Brought>[] = [];
  /** Documents whose cached version is behind what a caller has seen. */
  readonly #behind = new DocumentMap<true>();
  /** The batch's events so far: a document that a later command asks for takes them in. */
  readonly #events: Pending[] = [];
  /** Those attached to documents that aren't read yet, by document. Rare, so made when needed. */
  #pending: DocumentMap<Pending[]> | undefined;

  constructor(core: Core, io: LoadingCalls, { ground, late }: Footing) {
    this.epoch = core.cache.epoch;
    this.#core = core;
    this.#io = io;
    this.#ground = ground;
    this.#beside = late;
  }

  find({ collection, id }: DocumentRef): Working | undefined {
    return this.#documents.get(collection, id);
  }

  /** Makes sure that a document isn't taken from a cache that is behind what the caller has seen. */
  expect({ collection, id, version }: DocumentVersion): void {
    const cached = this.#core.cache.get(collection, id);
    if (cached && cached.version < version) this.#behind.set(collection, id, true);
  }

  /** Documents that were loaded for a command before this batch. */
  offer(brought: DocumentMap<Brought>): void {
    this.#brought.push(brought);
  }

  /** Those that take long to load, and aren't here. */
  lateOf(refs: readonly DocumentRef[]): readonly DocumentRef[] {
    return this.#late.size === 0 ? [] : refs.filter((ref) => this.#late.get(ref.collection, ref.id) && !this.find(ref));
  }

  /**
   * Brings documents in: from the cache, or from the store in one call. What takes longer than a batch may is late, unless `all`
   * must be here; with `later` all that isn't cached is late.
   */
  async bring(refs: Iterable<DocumentRef>, { all, later = false }: { all: boolean; later?: boolean }): Promise<void> {
    const beside = all ? undefined : this.#beside;
    const missing: Wanted[] = [];
    const asked = new DocumentMap<true>();
    for (const ref of refs) {
      const { collection: name, id } = ref;
      if (this.#documents.get(name, id) || asked.get(name, id)) continue;
      if (beside && (this.#late.get(name, id) || beside.has(ref))) {
        this.#late.set(name, id, true);
        continue;
      }
      const collection = this.#core.collections.get(name);
      if (!collection) throw unknownCollection(name);
      const progress = this.#core.readiness.unready(name);
      if (progress) {
        if (!beside) this.#add(collection, id, UNKNOWN, rebuilding(progress));
        else {
          beside.waitFor(ref);
          this.#late.set(name, id, true);
        }
        continue;
      }
      const cached = this.#core.cache.get(name, id);
      if (cached && this.#isGood(ref) && !this.#behind.get(name, id)) {
        this.#add(collection, id, cached);
        continue;
      }
      try {
        missing.push({ collection, id, from: cached ?? this.#broughtOf(ref) ?? unborn(collection, id) });
        asked.set(name, id, true);
      } catch (error) {
        this.#add(collection, id, UNKNOWN, error);
      }
    }
    if (missing.length === 0) return;
    if (!later || !beside) return this.#load(missing, beside);
    for (const { collection, id } of missing) this.#late.set(collection.name, id, true);
    beside.goOn(new Loading(this.#core, this.#io, missing), missing, this.epoch);
  }

  /** Whether a cached document is used as it is. */
  #isGood(ref: DocumentRef): boolean {
    if (this.#ground === 'cached') return true;
    return this.#ground === 'tracked' && this.#core.tracked.has(ref);
  }

  #broughtOf({ collection, id }: DocumentRef): Folded | undefined {
    for (const brought of this.#brought) {
      const found = brought.get(collection, id);
      if (found && this.#core.cache.holds(collection, found.epoch)) return found.folded;
    }
    return undefined;
  }

  async #load(missing: readonly Wanted[], beside?: LateDocuments): Promise<void> {
    const { runtime, limits, cache, tracked, watermark } = this.#core;
    const loading = new Loading(this.#core, this.#io, missing);
    const until = beside ? runtime.elapsed() + limits.batchDecideMs : Infinity;
    try {
      await loading.step();
      // The first answer may hold one document only; the next has those that lack least.
      do if (!loading.isOver) await loading.step();
      while (!loading.isOver && runtime.elapsed() < until);
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      await this.#loadEach(missing, error);
      return;
    }
    const incomplete = loading.incomplete();
    for (const [index, { collection, id, from }] of missing.entries()) {
      if (incomplete.has(index)) {
        this.#late.set(collection.name, id, true);
        continue;
      }
      const { folded, error, document } = loading.found[index]!;
      if (error === undefined) {
        if (folded.version > from.version && from === cache.get(collection.name, id)) tracked.broughtUp.add(folded);
        cache.remember(collection.name, id, folded, this.epoch);
        if (document !== undefined) tracked.add({ collection: collection.name, id }, document, watermark.seen);
      }
      this.#add(collection, id, folded, error);
    }
    if (incomplete.size > 0) beside!.goOn(loading, missing, this.epoch);
  }

  /** One of several is damaged: it is found by halving. */
  async #loadEach(missing: readonly Wanted[], error: unknown): Promise<void> {
    // If this fails too, the whole store is damaged.
    await this.#io.load([]);
    const [only] = missing;
    if (missing.length === 1) return this.#add(only!.collection, only!.id, UNKNOWN, error);
    const middle = Math.ceil(missing.length / 2);
    await this.#load(missing.slice(0, middle));
    await this.#load(missing.slice(middle));
  }

  /**
   * Takes in the events of a commit; or returns the document that can't take one in, with the error, and changes none. The command
   * then rests on that document, which may have moved since it was cached.
   */
  commit(events: readonly MadeEvent[], time: number): { readonly by: Working; readonly error: unknown } | undefined {
    const before: { readonly working: Working; readonly now: Folded }[] = [];
    for (const { event, attachments } of events) {
      for (const ref of attachments) {
        const working = this.find(ref);
        if (!working || working.error !== undefined) continue;
        before.push({ working, now: working.now });
        try {
          working.now = reduce(working.collection, working.id, working.now, event, time);
        } catch (error) {
          for (const { working, now } of before.reverse()) working.now = now;
          return { by: working, error };
        }
      }
    }
    for (const made of events) {
      const pending = { made, time };
      this.#events.push(pending);
      if (this.#pending) this.#keep(this.#pending, pending);
    }
    return undefined;
  }

  #add(collection: CollectionDefinition, id: string, stored: Folded, error?: unknown): void {
    const working: Working = {
      collection,
      id,
      stored,
      now: stored,
      row: undefined,
      ground: undefined,
      error,
      refusesBatch: false,
    };
    if (this.#events.length > 0) this.#catchUp(working);
    this.#documents.set(collection.name, id, working);
  }

  /** Takes in the batch's earlier events of a document. */
  #catchUp(working: Working): void {
    const { collection, id } = working;
    if (!this.#pending) {
      this.#pending = new DocumentMap();
      for (const pending of this.#events) this.#keep(this.#pending, pending);
    }
    if (working.error !== undefined) return;
    try {
      for (const { made, time } of this.#pending.get(collection.name, id) ?? []) {
        working.now = reduce(collection, id, working.now, made.event, time);
      }
    } catch (caught) {
      // A command that asks for it gets this error, and rests on the document.
      working.error = caught;
      working.refusesBatch = true;
    }
    this.#pending.delete(collection.name, id);
  }

  #keep(pending: DocumentMap<Pending[]>, event: Pending): void {
    for (const { collection, id } of event.made.attachments) {
      if (this.#documents.get(collection, id)) continue;
      const events = pending.get(collection, id);
      if (events) events.push(event);
      else pending.set(collection, id, [event]);
    }
  }
}
