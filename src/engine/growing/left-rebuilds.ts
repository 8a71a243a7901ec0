/**
 * Rebuilds that nobody sees to any more, as the process that was asked for it has ended: one that only compares is dropped, any other
 * is gone on with, by one server.
 */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Definition } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { Halt } from '../halt.ts';
import type { Reduction } from '../reduction/reduction.ts';
import { isReady } from '../registry/readiness.ts';
import { Beats, noteOf } from './rebuild-note.ts';
import { Rebuilding } from './rebuilding.ts';

export class LeftRebuilds {
  readonly #core: Core;
  readonly #reduction: Reduction;
  /** By second set. */
  readonly #beats = new Map<number, Beats>();
  readonly #running = new Map<number, Promise<void>>();

  constructor(core: Core, reduction: Reduction) {
    this.#core = core;
    this.#reduction = reduction;
  }

  /** Whether there are any rebuilds: they are looked at again soon. */
  look(): boolean {
    const { membership, collections, runtime } = this.#core;
    const sets = new Set<number>();
    for (const [name, own] of membership.own) {
      const { definition } = own;
      const { rebuilt } = definition;
      if (rebuilt === undefined || !isReady(own)) continue;
      sets.add(rebuilt);
      const beats = this.#beats.get(rebuilt) ?? new Beats(runtime.elapsed());
      this.#beats.set(rebuilt, beats);
      if (!beats.isLeft(definition, runtime.elapsed()) || this.#running.has(rebuilt)) continue;
      const running = this.#takeOver(collections.get(name)!, definition).finally(() => this.#running.delete(rebuilt));
      this.#running.set(rebuilt, running);
    }
    for (const set of this.#beats.keys()) if (!sets.has(set)) this.#beats.delete(set);
    return sets.size > 0;
  }

  /** Resolves once nothing of it runs any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Never rejects: should it fail, some server tries again after a while. */
  async #takeOver(collection: CollectionDefinition, left: Definition): Promise<void> {
    const { closing, logger } = this.#core;
    const note = noteOf(left);
    const parts = { core: this.#core, reduction: this.#reduction, collection, halt: new Halt([closing.signal]) };
    const rebuilding = new Rebuilding(parts, () => undefined);
    try {
      if (!note || note.isDryRun) {
        await rebuilding.dropLeft(left);
        return;
      }
      if (!this.#reduction.isRunning || !(await rebuilding.takeOver(left))) return;
      const found = await rebuilding.work();
      if (!found) return;
      const { documents, different, examples } = found;
      const details = { collection: collection.name, documents, different, examples };
      logger.info(details, `the rebuild of ${collection.name} that another process had begun is done`);
    } catch (error) {
      if (closing.signal.aborted) return;
      logger.warn({ err: error, collection: collection.name }, 'a rebuild can’t be gone on with for now');
    }
  }
}
