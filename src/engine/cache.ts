/** The document cache: the documents used last, as they were folded last. */
import type { Limits } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { RecentDocuments, type Kept } from '../recent.ts';
import type { DocumentRef } from '../store/store.ts';

/** The part of the entries that is for documents to which nothing has happened yet. */
const UNBORN_PART = 1 / 8;

export class DocumentCache {
  readonly #documents: RecentDocuments<Folded>;
  /**
   * Those at version 0, apart: they cost a look at the store and no folding, and who asks for ids that nobody uses has no end
   * of them. Among the others they would push out what is dear to load.
   */
  readonly #unborn: RecentDocuments<Folded>;

  constructor({ cacheEntriesMax, cacheBytesMax }: Limits) {
    const part = (size: number): RecentDocuments<Folded> =>
      new RecentDocuments(cacheEntriesMax * size, { max: cacheBytesMax * size, of: ({ bytes }) => bytes });
    this.#documents = part(1 - UNBORN_PART);
    this.#unborn = part(UNBORN_PART);
  }

  get size(): number {
    return this.#documents.size + this.#unborn.size;
  }

  /** What the states in it weigh. */
  get bytes(): number {
    return this.#documents.weight + this.#unborn.weight;
  }

  get(collection: string, id: string): Folded | undefined {
    return this.#documents.get(collection, id) ?? this.#unborn.get(collection, id);
  }

  /** Takes a document in, unless a later version is there already: documents only move forward (law 6). */
  remember(collection: string, id: string, folded: Folded): void {
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

  /** A document moves on by one version, where it is kept. */
  advance({ collection, id }: DocumentRef, kept: Kept<Folded>, folded: Folded): void {
    if (!this.#documents.replace(kept, folded)) this.#documents.set(collection, id, folded);
  }

  forget(collection: string, id: string): void {
    this.#documents.delete(collection, id);
    this.#unborn.delete(collection, id);
  }
}
