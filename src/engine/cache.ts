/** The document cache: the documents used last, in their last known state. */
import type { Limits } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { RecentDocuments, type Kept } from '../recent.ts';
import type { DocumentRef } from '../store/store.ts';

/** The part of the entries that is for documents without events. */
const UNBORN_PART = 1 / 8;

export class DocumentCache {
  readonly #documents: RecentDocuments<Folded>;
  /**
   * Documents at version 0, apart: they are cheap to load, and callers may ask for endless ids that nobody uses. Among the others
   * they would push out documents that are dear to load.
   */
  readonly #unborn: RecentDocuments<Folded>;
  #epoch = 0;
  /** By collection: the epoch that began when its documents were forgotten. */
  readonly #forgotten = new Map<string, number>();

  constructor({ cacheEntriesMax, cacheBytesMax }: Limits) {
    const part = (size: number): RecentDocuments<Folded> =>
      new RecentDocuments(cacheEntriesMax * size, { max: cacheBytesMax * size, of: ({ bytes }) => bytes });
    this.#documents = part(1 - UNBORN_PART);
    this.#unborn = part(UNBORN_PART);
  }

  get size(): number {
    return this.#documents.size + this.#unborn.size;
  }

  get bytes(): number {
    return this.#documents.weight + this.#unborn.weight;
  }

  get(collection: string, id: string): Folded | undefined {
    return this.#documents.get(collection, id) ?? this.#unborn.get(collection, id);
  }

  /** Raised whenever all documents of a collection are forgotten: what is loaded or decided takes it before it begins. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether what was known of a collection's documents in that epoch still holds. */
  holds(collection: string, epoch: number): boolean {
    return (this.#forgotten.get(collection) ?? 0) <= epoch;
  }

  /**
   * Keeps a document, unless a later version is there: documents only move forward (law 6). `epoch` is that in which it was begun:
   * what was begun before its collection's documents were forgotten is not kept.
   */
  remember(collection: string, id: string, folded: Folded, epoch: number): void {
    if (!this.holds(collection, epoch)) return;
    const known = this.#documents.get(collection, id);
    if (folded.version === 0) {
      if (known === undefined) this.#unborn.set(collection, id, folded);
      return;
    }
    if (known === undefined) this.#unborn.delete(collection, id);
    if (known === undefined || known.version <= folded.version) this.#documents.set(collection, id, folded);
  }

  /** Where a document that exists is kept. */
  find(collection: string, id: string): Kept<Folded> | undefined {
    return this.#documents.find(collection, id);
  }

  /** Moves a kept document on by one version. */
  advance({ collection, id }: DocumentRef, kept: Kept<Folded>, folded: Folded): void {
    if (!this.#documents.replace(kept, folded)) this.#documents.set(collection, id, folded);
  }

  /** Other documents have taken the place of those that these were folded from. */
  forgetAll(collection: string): void {
    this.#documents.deleteAll(collection);
    this.#unborn.deleteAll(collection);
    this.#epoch += 1;
    this.#forgotten.set(collection, this.#epoch);
  }

  forget(collection: string, id: string): void {
    this.#documents.delete(collection, id);
    this.#unborn.delete(collection, id);
  }
}
