/**
 * What the commits of a batch rest on, and which of them fall with it: those whose rows of `reads` are stale, and those that
 * build on what an earlier one would have done, had it not fallen itself. Each in turn, so a chain of them costs its length.
 */
import { DocumentMap } from '../document-map.ts';
import type { Batch, Commit } from './store.ts';

export class Ground {
  readonly #batch: Pick<Batch, 'reads' | 'handled'>;
  /** By row. */
  readonly #lost: boolean[] = [];
  /** The row of each document. Made once something falls, which is rare. */
  #rows: DocumentMap<number> | undefined;

  /** `stale` are rows. */
  constructor(batch: Pick<Batch, 'reads' | 'handled'>, stale: Iterable<number>) {
    this.#batch = batch;
    for (const row of stale) this.#lost[row] = true;
  }

  /** Whether what rests on these rows stands, after the commits that fell so far. */
  holds(rows: readonly number[]): boolean {
    return !rows.some((row) => this.#lost[row]);
  }

  /** What a commit that falls would have done to documents isn't so for those after it. */
  falls({ events }: Pick<Commit, 'events'>): void {
    const { reads, handled } = this.#batch;
    if (reads.length === 0) return;
    if (!this.#rows) {
      this.#rows = new DocumentMap();
      for (const [row, { collection, id }] of reads.entries()) this.#rows.set(collection, id, row);
    }
    for (const { type, attachments } of events) {
      for (const { collection, id } of attachments) {
        if (!handled.get(collection)?.has(type)) continue;
        const row = this.#rows.get(collection, id);
        if (row !== undefined) this.#lost[row] = true;
      }
    }
  }
}

/**
 * Whether each commit of a batch stands.
 *
 * @param stale the rows of `batch.reads` that are stale
 * @param duplicates the command ids under which a final outcome is stored
 *
 * @example
 * ```ts
 * import { standing, type Batch } from 'tidemark/store';
 *
 * // Which commits are stored, where nothing is stale but one command was executed before.
 * const kept = (batch: Batch, known: string) => batch.commits.filter((_, index) => standing(batch, [], [known])[index]);
 * ```
 */
export function standing(batch: Batch, stale: readonly number[], duplicates: readonly string[]): readonly boolean[] {
  if (stale.length === 0 && duplicates.length === 0) return batch.commits.map(() => true);
  const ground = new Ground(batch, stale);
  const taken = new Set(duplicates);
  return batch.commits.map((commit) => {
    const stands = !taken.has(commit.command.id) && ground.holds(commit.reads);
    if (!stands) ground.falls(commit);
    return stands;
  });
}
