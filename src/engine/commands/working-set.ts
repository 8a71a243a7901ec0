/**
 * The documents of one batch while it is decided: each as it is stored, and as the batch's own commits leave it. A
 * command is decided on the state its predecessors left, so a hot document costs no more than a cold one.
 */
import { hasCode } from '../../errors.ts';
import { unknownCollection } from '../not-given.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { MadeEvent } from '../../model/make-event.ts';
import { reduce, unborn, type Folded } from '../../model/reduce.ts';
import type { DocumentRef, DocumentVersion, Session } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { LateDocuments } from './late.ts';
import { DocumentMap } from '../../document-map.ts';
import { Loading, type Wanted } from '../reading/document-reader.ts';

export interface Working {
  readonly collection: CollectionDefinition;
  readonly id: string;
  /** As stored, at the version that the batch is checked against. */
  readonly stored: Folded;
  /** After the commits of the batch so far. */
  now: Folded;
  /** Its place among what commands of the batch rest on: what was read, or made something go wrong. */
  row: number | undefined;
  /** The ground of the command that has come to rest on it last. */
  ground: object | undefined;
  /** What keeps it from being folded, */
  error: unknown;
  /** and whether that is an event of the batch. */
  refusesBatch: boolean;
}

/** What commands are decided on. */
export interface Footing {
  /**
   * Which cached documents are decided on as they are: all; those that are tracked; or none, which is exact under the write
   * lock. The others are brought up to date first.
   */
  readonly ground: 'cached' | 'tracked' | 'loaded';
  /** Where documents that take long to load are left to; without it all are waited for. */
  readonly late?: LateDocuments | undefined;
}

interface Pending {
  readonly made: MadeEvent;
  readonly time: number;
}

/** What is known of a document that can't be read. */
const UNKNOWN: Folded = Object.freeze({ version: 0, changed: 0, state: undefined, bytes: 0 });

export class WorkingSet {
  readonly #core: Core;
  readonly #io: Pick<Session, 'load' | 'commits'>;
  readonly #ground: Footing['ground'];
  /** Where documents that take long are left to; without it all are waited for. */
  readonly #beside: LateDocuments | undefined;
  readonly #documents = new DocumentMap<Working>();
  /** Those that take long to load: they come into the cache beside this batch, if they may. */
  readonly #late = new DocumentMap<true>();
  /** Those that were loaded for a command of this batch, and that the cache didn't take: what comes after is loaded on top. */
  readonly #brought: DocumentMap<Folded>[] = [];
  /** Those that are cached behind what a caller has seen. */
  readonly #behind = new DocumentMap<true>();
  /** The events of the batch so far: a document that is first asked for by a later command takes them in. */
  readonly #events: Pending[] = [];
  /** Those of them that are attached to documents nobody has read yet. Made when one is asked for, which is rare. */
  #pending: DocumentMap<Pending[]> | undefined;

  constructor(core: Core, io: Pick<Session, 'load' | 'commits'>, { ground, late }: Footing) {
    this.#core = core;
    this.#io = io;
    this.#ground = ground;
    this.#beside = late;
  }

  find({ collection, id }: DocumentRef): Working | undefined {
    return this.#documents.get(collection, id);
  }

  /** Makes sure that a document isn't taken from a cache that is behind what the caller says to have seen of it. */
  expect({ collection, id, version }: DocumentVersion): void {
    const cached = this.#core.cache.get(collection, id);
    if (cached && cached.version < version) this.#behind.set(collection, id, true);
  }

  /** What was loaded for a command before this batch. */
  offer(brought: DocumentMap<Folded>): void {
    this.#brought.push(brought);
  }

  /** Which of these take long to load, and aren't here. */
  lateOf(refs: readonly DocumentRef[]): readonly DocumentRef[] {
    return this.#late.size === 0 ? [] : refs.filter((ref) => this.#late.get(ref.collection, ref.id) && !this.find(ref));
  }

  /**
   * Brings documents in: from the cache, or all that aren't there in one call to the store. What takes longer than a batch
   * is given is late, unless all are to be there; with `later` so is whatever isn't in the cache.
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
    beside.goOn(new Loading(this.#core, this.#io, missing), missing);
  }

  /** Whether a cached document is decided on as it is. */
  #isGood(ref: DocumentRef): boolean {
    if (this.#ground === 'cached') return true;
    return this.#ground === 'tracked' && this.#core.tracked.has(ref);
  }

  #broughtOf({ collection, id }: DocumentRef): Folded | undefined {
    for (const brought of this.#brought) {
      const folded = brought.get(collection, id);
      if (folded) return folded;
    }
    return undefined;
  }

  async #load(missing: readonly Wanted[], beside?: LateDocuments): Promise<void> {
    const { runtime, limits, cache, tracked, watermark } = this.#core;
    const loading = new Loading(this.#core, this.#io, missing);
    const until = beside ? runtime.elapsed() + limits.batchDecideMs : Infinity;
    try {
      await loading.step();
      // The first answer may be of one document; the next has those that lack least.
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
        if (folded.version > from.version && from === cache.get(collection.name, id)) tracked.take(folded);
        cache.remember(collection.name, id, folded);
        if (document !== undefined) tracked.add({ collection: collection.name, id }, document, watermark.seen);
      }
      this.#add(collection, id, folded, error);
    }
    if (incomplete.size > 0) beside!.goOn(loading, missing);
  }

  /** One of several is damaged, and the others are whole: it is found by halving. */
  async #loadEach(missing: readonly Wanted[], error: unknown): Promise<void> {
    // Not one document but all: so is the store.
    await this.#io.load([]);
    const [only] = missing;
    if (missing.length === 1) return this.#add(only!.collection, only!.id, UNKNOWN, error);
    const middle = Math.ceil(missing.length / 2);
    await this.#load(missing.slice(0, middle));
    await this.#load(missing.slice(middle));
  }

  /**
   * Takes in the events of a commit, or says which document can't take one in, and why: none has changed then. That decides
   * what comes of the command, which rests on it: it may have come from the cache, for a neighbour, and have moved since.
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

  /** Takes in what the batch has attached to a document before it was asked for. */
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
      // Whoever asked for it is told so: that rests on it as much as what is decided on it.
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
