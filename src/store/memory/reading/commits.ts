/** The commits of the log: in their order, and by command id as the ledger. */
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import type { CommitRange, LogEnd, StoredCommit } from '../../store.ts';
import { countWhile, type Log } from '../schema.ts';

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
    // Positions rise and `recordedAt` never falls: the condition, once false, stays false.
    const to = countWhile(commits, ({ position, recordedAt }) => position <= last && recordedAt <= recordedBy);
    if (!reverse) return commits.slice(from, Math.min(to, from + rows));
    return commits.slice(Math.max(from, to - rows), Math.max(from, to)).reverse();
  }

  ledger(end: LogEnd, ids: readonly string[]): readonly StoredCommit[] {
    const { ledger } = this.#log;
    // Nothing follows a final outcome: the last is the right one in both cases.
    return [...new Set(ids)].flatMap(
      (id) => ledger.get(id)?.findLast(({ position }) => position <= end.position) ?? [],
    );
  }
}
