/**
 * The commits of the log: in their order as they are hashed, and by command id as the ledger.
 */
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import type { CommitRange, LogEnd, StoredCommit } from '../../store.ts';
import { countWhile } from '../schema.ts';
import type { Log } from '../schema.ts';

export class Commits {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  commits(end: LogEnd, range: CommitRange): readonly StoredCommit[] {
    const { commits } = this.#log;
    const { recordedBy = Infinity, reverse, limit } = range;
    const after = lowerBound(range.after);
    const rows = pageRows(limit);
    const last = Math.min(upperBound(range.upTo), end.position);
    const from = countWhile(commits, ({ position }) => position <= after);
    // Positions rise and `recordedAt` never falls, so both conditions together end a prefix.
    const to = countWhile(commits, ({ position, recordedAt }) => position <= last && recordedAt <= recordedBy);
    if (!reverse) return commits.slice(from, Math.min(to, from + rows));
    return commits.slice(Math.max(from, to - rows), Math.max(from, to)).reverse();
  }

  /** The final outcome of each command id, or else its last that isn't final. */
  ledger(end: LogEnd, ids: readonly string[]): readonly StoredCommit[] {
    return [...new Set(ids)].flatMap((id) => {
      // A final outcome is never followed by another, so the last is the one in both cases.
      return this.#log.ledger.get(id)?.findLast(({ position }) => position <= end.position) ?? [];
    });
  }
}
