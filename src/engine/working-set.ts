/**
 * The documents of one batch while it is decided: each as it is stored, and as the batch's own commits leave it. A
 * command is decided on the state its predecessors left, so a hot document costs no more than a cold one.
 */
import { UnknownCollection } from '../errors.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { MadeEvent } from '../model/make-event.ts';
import { reduce, unborn, type Folded } from '../model/reduce.ts';
import type { DocumentRef, Session } from '../store/store.ts';
import { documentKey } from './cache.ts';
import type { Core } from './core.ts';
import { loadDocuments } from './document-reader.ts';

export interface Working {
  readonly collection: CollectionDefinition;
  readonly id: string;
  readonly key: string;
  /** As stored, at the version that the batch is checked against. */
  readonly stored: Folded;
  /** After the commits of the batch so far. */
  now: Folded;
  /** Whether a commit of the batch rests on it. */
  read: boolean;
  /** What keeps it from being folded. */
  readonly error?: unknown;
}

interface Pending {
  readonly made: MadeEvent;
  readonly time: number;
}

export class WorkingSet {
  readonly #core: Core;
  readonly #io: Pick<Session, 'load'>;
  /** Whether cached documents are brought up to date first: under the write lock they are then exact. */
  readonly #fresh: boolean;
  readonly #documents = new Map<string, Working>();
  /** Events of the batch attached to documents that nobody has read yet. */
  readonly #pending = new Map<string, Pending[]>();

  constructor(core: Core, io: Pick<Session, 'load'>, fresh: boolean) {
    this.#core = core;
    this.#io = io;
    this.#fresh = fresh;
  }

  /** Every document that was looked at. */
  get documents(): Iterable<Working> {
    return this.#documents.values();
  }

  find({ collection, id }: DocumentRef): Working | undefined {
    return this.#documents.get(documentKey(collection, id));
  }

  /** Brings documents in: from the cache, or all that aren't there in one call to the store. */
  async bring(refs: Iterable<DocumentRef>): Promise<void> {
    const missing = new Map<string, { collection: CollectionDefinition; id: string; from: Folded }>();
    for (const { collection: name, id } of refs) {
      const key = documentKey(name, id);
      if (this.#documents.has(key) || missing.has(key)) continue;
      const collection = this.#core.collections.get(name);
      if (!collection) throw unknownCollection(name);
      const cached = this.#core.cache.get(key);
      if (cached && !this.#fresh) {
        this.#add(key, collection, id, cached);
        continue;
      }
      try {
        missing.set(key, { collection, id, from: cached ?? unborn(collection, id) });
      } catch (error) {
        this.#add(key, collection, id, { version: 0, changed: 0, state: undefined }, error);
      }
    }
    if (missing.size === 0) return;
    const { found } = await loadDocuments(this.#core, this.#io, [...missing.values()]);
    let next = 0;
    for (const [key, { collection, id }] of missing) {
      const { folded, error } = found[next++]!;
      if (error === undefined) this.#core.cache.set(key, folded);
      this.#add(key, collection, id, folded, error);
    }
  }

  /** Takes in the events of a commit. @throws ReducerFailed before anything changed, if one can't be folded */
  commit(events: readonly MadeEvent[], time: number): void {
    const changed = new Map<Working, Folded>();
    for (const { event, attachments } of events) {
      for (const ref of attachments) {
        const working = this.find(ref);
        if (!working || working.error !== undefined) continue;
        changed.set(working, reduce(working.collection, working.id, changed.get(working) ?? working.now, event, time));
      }
    }
    for (const [working, folded] of changed) working.now = folded;
    for (const made of events) {
      for (const { collection, id } of made.attachments) {
        const key = documentKey(collection, id);
        if (this.#documents.has(key)) continue;
        const pending = this.#pending.get(key);
        if (pending) pending.push({ made, time });
        else this.#pending.set(key, [{ made, time }]);
      }
    }
  }

  #add(key: string, collection: CollectionDefinition, id: string, stored: Folded, error?: unknown): void {
    const working: Working = { collection, id, key, stored, now: stored, read: false, error };
    this.#documents.set(key, working);
    const pending = this.#pending.get(key);
    if (!pending || error !== undefined) return;
    this.#pending.delete(key);
    try {
      for (const { made, time } of pending) working.now = reduce(collection, id, working.now, made.event, time);
    } catch (caught) {
      this.#documents.set(key, { ...working, error: caught });
    }
  }
}

export function unknownCollection(name: string): UnknownCollection {
  return new UnknownCollection(`The collection ${JSON.stringify(name)} was not given to open: add it to collections.`, {
    collection: name,
  });
}
