/**
 * Which commits of a batch fall: those that rest on a stale row of `reads`, and those that build on an earlier commit that
 * fell. Judged one after the other, so a long chain costs its length.
 */
import { DocumentMap } from '../document-map.ts';
import type { Batch, Commit } from './store.ts';

export class Ground {
  readonly #batch: Pick<Batch, 'reads' | 'handled'>;
  /** By row of `reads`. */
  readonly #lost: boolean[] = [];
  /** The row of each document. Made once something falls, which is rare. */
  #rows: DocumentMap<number> | undefined;

  /** @param stale rows of `reads` */
  constructor(batch: Pick<Batch, 'reads' | 'handled'>, stale: Iterable<number>) {
    this.#batch = batch;
    for (const row of stale) this.#lost[row] = true;
  }

  /** Whether a commit that rests on these rows stands, after the commits that fell so far. */
  holds(rows: readonly number[]): boolean {
    return !rows.some((row) => this.#lost[row]);
  }

  /** The documents that a fallen commit would have changed are lost for the commits after it. */
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
 * // Which commits are stored if nothing is stale, but one command was executed before.
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
