/** What is left of many runs: medians. */
import { median } from '../workload.ts';
import { kept, nameOfCase, type Case, type Contestant, type Run } from './contestant.ts';

export interface Result {
  readonly system: string;
  readonly database: Contestant['database'];
  /** `64`, `64 hot`. */
  readonly case: string;
  /** Medians of the rounds: commands a second, and milliseconds. */
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Of all rounds. */
  readonly errors: Readonly<Record<string, number>>;
  readonly unanswered: number;
  readonly group?: number | undefined;
  readonly tries?: number | undefined;
  readonly busy?: number | undefined;
  /** Runs in which what was stored isn't what callers were told. */
  readonly untrue: readonly Pick<Run, 'acknowledged' | 'stored' | 'unknown'>[];
  readonly runs: readonly Run[];
}

export function result(system: string, database: Contestant['database'], asked: Case, runs: readonly Run[]): Result {
  const errors: Record<string, number> = {};
  for (const run of runs)
    for (const [name, count] of Object.entries(run.errors)) errors[name] = (errors[name] ?? 0) + count;
  const middle = (of: (run: Run) => number | undefined): number | undefined => {
    const values = runs.map(of).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  return {
    system,
    database,
    case: nameOfCase(asked),
    rate: middle((run) => run.rate) ?? 0,
    p50: middle((run) => run.p50) ?? 0,
    p99: middle((run) => run.p99) ?? 0,
    errors,
    unanswered: runs.reduce((total, run) => total + run.unanswered, 0),
    group: middle((run) => run.group),
    tries: middle((run) => run.tries),
    busy: middle((run) => run.busy),
    untrue: runs
      .filter((run) => !kept(run))
      .map(({ acknowledged, stored, unknown }) => ({ acknowledged, stored, unknown })),
    runs,
  };
}

/** The median of the ratios of two systems, round by round: the machine's moods are then in both. */
export function ratio(
  results: readonly Result[],
  of: readonly [system: string, asked: string],
  to: readonly [system: string, asked: string],
  value: (run: Run) => number = ({ rate }) => rate,
): number | undefined {
  const find = ([system, asked]: readonly [string, string]): readonly Run[] =>
    results.find((one) => one.system === system && one.case === asked && one.database === 'PostgreSQL')?.runs ?? [];
  const below = find(to);
  const ratios = find(of).flatMap((run, round) => {
    const other = below[round];
    return other === undefined ? [] : [value(run) / value(other)];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}
