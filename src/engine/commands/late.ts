/**
 * Documents that take long to load: with a long history, or very many at once. They are loaded into the cache beside the batches,
 * and only the commands that need them wait.
 */
import type { Folded } from '../../model/reduce.ts';
import { DocumentMap } from '../../document-map.ts';
import type { DocumentRef } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Loading, Wanted } from '../reading/document-reader.ts';

export class LateDocuments {
  readonly #core: Core;
  /** Loads under way: each resolves to the document, as far as it could be folded; undefined if it can't be read. */
  readonly #loading = new DocumentMap<Promise<Folded | undefined>>();

  constructor(core: Core) {
    this.#core = core;
  }

  has({ collection, id }: DocumentRef): boolean {
    return this.#loading.get(collection, id) !== undefined;
  }

  /** Goes on with a batch's load, for the documents that aren't complete. */
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
   * Resolves when none of these is being loaded. Those that the cache didn't take (too large, or not foldable to the end) are put
   * into `brought`: otherwise each batch would load them anew.
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
      // A batch that needs one of them asks again, and gets the error then.
    }
    for (const index of open.keys()) end(index, undefined);
  }
}
