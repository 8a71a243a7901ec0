/**
 * Documents that take long to load: with a long history, or very many at once. They are loaded into the cache beside the batches,
 * and only the commands that need them wait.
 */
import type { Folded } from '../../model/reduce.ts';
import { DocumentMap } from '../../document-map.ts';
import type { DocumentRef } from '../../store/store.ts';
import type { Core } from '../core.ts';
import type { Loading, Wanted } from '../reading/document-reader.ts';

/** How often a command waits for the same document, before a batch waits for it. */
export const WAITS_MAX = 4;

/** A document that was loaded for a command, and the cache's epoch in which that was begun. */
export interface Brought {
  readonly folded: Folded;
  readonly epoch: number;
}

type Open = Map<number, (brought: Brought | undefined) => void>;

export class LateDocuments {
  readonly #core: Core;
  /** Loads under way: each resolves to the document, as far as it could be folded; undefined if it can't be read. */
  readonly #loading = new DocumentMap<Promise<Brought | undefined>>();

  constructor(core: Core) {
    this.#core = core;
  }

  has({ collection, id }: DocumentRef): boolean {
    return this.#loading.get(collection, id) !== undefined;
  }

  /** Waits, beside the batches, until documents of its collection can be read, or for its part of the bound. */
  waitFor({ collection, id }: DocumentRef): void {
    const { readiness, closing } = this.#core;
    const waiting = readiness.ready(collection, closing.signal, 1 / WAITS_MAX);
    // Whoever still needs it asks again, and gets the error after the last wait.
    const over = waiting.catch(() => undefined).then(() => void this.#loading.delete(collection, id));
    this.#loading.set(
      collection,
      id,
      over.then(() => undefined),
    );
  }

  /** Goes on with a batch's load, for the documents that aren't complete. `epoch` is the cache's when the batch was begun. */
  goOn(loading: Loading, wanted: readonly Wanted[], epoch: number): void {
    const open: Open = new Map();
    for (const index of loading.incomplete()) {
      const { collection, id } = wanted[index]!;
      const { promise, resolve } = Promise.withResolvers<Brought | undefined>();
      this.#loading.set(collection.name, id, promise);
      open.set(index, resolve);
    }
    void this.#run(loading, wanted, open, epoch);
  }

  /**
   * Resolves when none of these is being loaded. Those that the cache didn't take (too large, or not foldable to the end) are put
   * into `brought`: otherwise each batch would load them anew.
   */
  async settled(refs: readonly DocumentRef[], brought: DocumentMap<Brought>): Promise<void> {
    const bring = async ({ collection, id }: DocumentRef): Promise<void> => {
      const found = await this.#loading.get(collection, id);
      const cached = this.#core.cache.get(collection, id);
      if (found && !(cached && cached.version >= found.folded.version)) brought.set(collection, id, found);
    };
    await Promise.all(refs.map(bring));
  }

  /** Never rejects. */
  async #run(loading: Loading, wanted: readonly Wanted[], open: Open, epoch: number): Promise<void> {
    const { cache, session } = this.#core;
    const end = (index: number, brought: Brought | undefined): void => {
      const { collection, id } = wanted[index]!;
      open.get(index)!(brought);
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
          if (error === undefined) cache.remember(collection.name, id, folded, epoch);
          end(index, { folded, epoch });
        }
      }
    } catch {
      // A batch that needs one of them asks again, and gets the error then.
    }
    for (const index of open.keys()) end(index, undefined);
  }
}
