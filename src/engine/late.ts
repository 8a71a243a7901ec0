/**
 * Documents that take long to load: one with a long history that nobody has asked for yet, or very many at once. They are
 * brought into the cache beside the batches; who needs one comes back when it is there, and nobody else waits for it.
 */
import { DocumentMap } from '../store/document-map.ts';
import type { DocumentRef } from '../store/store.ts';
import type { Core } from './core.ts';
import type { Loading, Wanted } from './document-reader.ts';

export class LateDocuments {
  readonly #core: Core;
  /** Those under way; each resolves when it is in the cache, or can't be brought there. */
  readonly #loading = new DocumentMap<Promise<void>>();

  constructor(core: Core) {
    this.#core = core;
  }

  has({ collection, id }: DocumentRef): boolean {
    return this.#loading.get(collection, id) !== undefined;
  }

  /** Goes on with a load that was begun for a batch, for those of its documents that aren't complete. */
  goOn(loading: Loading, wanted: readonly Wanted[]): void {
    const open = new Map<number, () => void>();
    for (const index of loading.incomplete()) {
      const { collection, id } = wanted[index]!;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#loading.set(collection.name, id, promise);
      open.set(index, resolve);
    }
    void this.#run(loading, wanted, open);
  }

  /** Resolves when none of these is under way any more. */
  async settled(refs: readonly DocumentRef[]): Promise<void> {
    await Promise.all(refs.map(({ collection, id }) => this.#loading.get(collection, id)));
  }

  /** Never rejects. */
  async #run(loading: Loading, wanted: readonly Wanted[], open: Map<number, () => void>): Promise<void> {
    const { cache, session } = this.#core;
    const end = (index: number, resolve: () => void): void => {
      const { collection, id } = wanted[index]!;
      open.delete(index);
      this.#loading.delete(collection.name, id);
      resolve();
    };
    try {
      while (!loading.isOver) {
        await loading.step(session);
        const incomplete = loading.incomplete();
        for (const [index, resolve] of open) {
          if (incomplete.has(index)) continue;
          const { folded, error } = loading.found[index]!;
          const { collection, id } = wanted[index]!;
          if (error === undefined) cache.remember(collection.name, id, folded);
          end(index, resolve);
        }
      }
    } catch {
      // Who needs one of them asks for it again, with his batch, and is told then what is wrong.
    }
    for (const [index, resolve] of open) end(index, resolve);
  }
}
