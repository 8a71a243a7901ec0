/** The document cache: the documents used last, as they were folded last. */
import type { Limits } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { RecentDocuments } from '../store/recent.ts';

export class DocumentCache {
  readonly #documents: RecentDocuments<Folded>;

  constructor({ cacheEntriesMax, cacheBytesMax }: Limits) {
    this.#documents = new RecentDocuments(cacheEntriesMax, { max: cacheBytesMax, of: ({ bytes }) => bytes });
  }

  get size(): number {
    return this.#documents.size;
  }

  /** What the states in it weigh. */
  get bytes(): number {
    return this.#documents.weight;
  }

  get(collection: string, id: string): Folded | undefined {
    return this.#documents.get(collection, id);
  }

  /** Takes a document in, unless a later version is there already: documents only move forward (law 6). */
  remember(collection: string, id: string, folded: Folded): void {
    const known = this.#documents.get(collection, id);
    if (known === undefined || known.version <= folded.version) this.#documents.set(collection, id, folded);
  }

  forget(collection: string, id: string): void {
    this.#documents.delete(collection, id);
  }
}
