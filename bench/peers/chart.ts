/** A picture of commands/s with 64 callers. */
import { chart, type Group } from '../chart.ts';
import type { Result } from './results.ts';
import { inWords, TIDEMARK } from './systems.ts';

export function chartOf(
  results: readonly Result[],
  machine: { cores: number; node: string },
  postgres: string,
): string {
  // Nothing in memory is durable: it stands in the table only.
  const groups = (['PostgreSQL', 'SQLite'] as const).map((database): Group => {
    const measured = results.filter((one) => one.case === '64' && one.database === database);
    const bars = measured.map(({ system, rate, errors, unanswered }) => {
      const failed = unanswered + Object.values(errors).reduce((sum, count) => sum + count, 0) > 0;
      return {
        label: inWords(system),
        value: rate,
        note: failed ? 'errors' : undefined,
        isOurs: system.startsWith(TIDEMARK),
      };
    });
    return { title: `on ${database}`, bars: bars.sort((one, other) => other.value - one.value) };
  });
  return chart(
    'Durable commands a second: 64 callers at once, who buy from 5,000 services',
    `${machine.cores} cores for callers, servers and database together; Node ${machine.node.replace('v', '')}, PostgreSQL ${postgres}`,
    groups.filter(({ bars }) => bars.length > 0),
  );
}
