/**
 * Documents that take long to load: one with a long history that nobody has asked for yet, or very many at once. They are
 * brought into the cache beside the batches; who needs one comes back when it is there, and nobody else waits for it.
 */
import type { Folded } from '../../model/reduce.ts';
import { DocumentMap } from '../../document-map.ts';
import type { DocumentRef } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Loading, Wanted } from '../reading/document-reader.ts';

export class LateDocuments {
  readonly #core: Core;
  /** Those under way: each resolves to the document, or as far as it could be folded; undefined if it can't be read. */
  readonly #loading = new DocumentMap<Promise<Folded | undefined>>();

  constructor(core: Core) {
    this.#core = core;
  }

  has({ collection, id }: DocumentRef): boolean {
    return this.#loading.get(collection, id) !== undefined;
  }

  /** Goes on with a load that was begun for a batch, for those of its documents that aren't complete. */
  goOn(loading: Loading, wanted: readonly Wanted[]): void {
    const open = new Map<number, (folded: Folded | undefined) => void>();
    for (const index of loading.incomplete()) {
      const { collection, id } = wanted[index]!;
      const { promise, resolve } = Promise.withResolvers<Folded | undefined>();
      this.#loading.set(collection.name, id, promise);
      open.set(index, resolve);
    }
    void this.#run(loading, wanted, open);
  }

  /**
   * Resolves when none of these is under way any more. Those of them that the cache didn't take are `brought`: one that is too
   * large for it, or that can't be folded to its end, would be loaded anew by each batch that needs it.
   */
  async settled(refs: readonly DocumentRef[], brought: DocumentMap<Folded>): Promise<void> {
    const bring = async ({ collection, id }: DocumentRef): Promise<void> => {
      const folded = await this.#loading.get(collection, id);
      const cached = this.#core.cache.get(collection, id);
      if (folded && !(cached && cached.version >= folded.version)) brought.set(collection, id, folded);
    };
    await Promise.all(refs.map(bring));
  }

  /** Never rejects. */
  async #run(
    loading: Loading,
    wanted: readonly Wanted[],
    open: Map<number, (folded: Folded | undefined) => void>,
  ): Promise<void> {
    const { cache, session } = this.#core;
    const end = (index: number, folded: Folded | undefined): void => {
      const { collection, id } = wanted[index]!;
      open.get(index)!(folded);
      open.delete(index);
      this.#loading.delete(collection.name, id);
    };
    try {
      while (!loading.isOver) {
        await loading.step(session);
        const incomplete = loading.incomplete();
        for (const index of open.keys()) {
          if (incomplete.has(index)) continue;
          const { folded, error } = loading.found[index]!;
          const { collection, id } = wanted[index]!;
          if (error === undefined) cache.remember(collection.name, id, folded);
          end(index, folded);
        }
      }
    } catch {
      // Who needs one of them asks for it again, with his batch, and is told then what is wrong.
    }
    for (const index of open.keys()) end(index, undefined);
  }
}
