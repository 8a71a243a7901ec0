/** What is asked of Tidemark beside others, written down before anything is compared. All of it on PostgreSQL. */
import type { Figure } from '../bench.ts';
import { ratio, type Result } from './results.ts';
import { BARE, BARE_TOLD, EMMETT, PGBENCH, TIDEMARK } from './systems.ts';

const LIMITS = {
  /** Commands/s with 64 callers and one process, of the bare client's that makes the same calls with the same rows. */
  ofBare: 0.7,
  /** And of `pgbench -N`'s transactions/s with 64 clients. */
  ofPgbench: 4,
  /** Commands/s of two processes together with 64 callers, of one's. */
  twoProcesses: 1,
  /** Commands/s on one document over four processes, of theirs over all documents. */
  hotOverFour: 0.3,
  /** Errors that reach a caller of Tidemark, of whatever name. */
  errors: 0,
  /** A single caller's median latency, of one bare call's. */
  single: 1.5,
} as const;

/** The figures next to their limits. A figure that couldn't be measured has no ratio, and misses its limit. */
export function judged(results: readonly Result[]): Figure[] {
  const four = `${TIDEMARK}, 4 processes`;
  const ours = results.filter(({ system, database }) => system.startsWith(TIDEMARK) && database === 'PostgreSQL');
  const errors = ours.reduce(
    (total, one) => total + one.unanswered + Object.values(one.errors).reduce((sum, count) => sum + count, 0),
    0,
  );
  return [
    {
      name: '64 callers, one process: of the bare client',
      ratio: ratio(results, [TIDEMARK, '64'], [BARE, '64']),
      atLeast: LIMITS.ofBare,
    },
    {
      name: '64 callers, one process: of the bare client that is told of documents',
      ratio: ratio(results, [TIDEMARK, '64'], [BARE_TOLD, '64']),
    },
    {
      name: '64 callers, one process: of pgbench -N',
      ratio: ratio(results, [TIDEMARK, '64'], [PGBENCH, '64']),
      atLeast: LIMITS.ofPgbench,
    },
    { name: '64 callers, one process: of Emmett (aim: 8)', ratio: ratio(results, [TIDEMARK, '64'], [EMMETT, '64']) },
    { name: '512 callers, one process: of the bare client', ratio: ratio(results, [TIDEMARK, '512'], [BARE, '512']) },
    {
      name: '64 callers in all: two processes of one',
      ratio: ratio(results, [`${TIDEMARK}, 2 processes`, '64'], [TIDEMARK, '64']),
      atLeast: LIMITS.twoProcesses,
    },
    {
      name: '64 callers each: two processes of one',
      ratio: ratio(results, [`${TIDEMARK}, 2 processes`, '128'], [TIDEMARK, '64']),
    },
    {
      name: '512 callers in all: two processes of one',
      ratio: ratio(results, [`${TIDEMARK}, 2 processes`, '512'], [TIDEMARK, '512']),
    },
    { name: '64 callers in all: four processes of one', ratio: ratio(results, [four, '64'], [TIDEMARK, '64']) },
    {
      name: '64 callers on one document over four processes: of the spread figure',
      ratio: ratio(results, [four, '64 hot'], [four, '64']),
      atLeast: LIMITS.hotOverFour,
    },
    {
      name: '512 callers on one document over four processes: of the spread figure',
      ratio: ratio(results, [four, '512 hot'], [four, '512']),
      atLeast: LIMITS.hotOverFour,
    },
    { name: 'errors that reached a caller of Tidemark', ours: errors, atMost: LIMITS.errors },
    {
      name: 'a single caller: p50 of one bare call',
      ratio: ratio(results, [TIDEMARK, '1'], [BARE, '1'], ({ p50 }) => p50),
      atMost: LIMITS.single,
    },
  ];
}
