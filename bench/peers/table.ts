/** What is printed. */
import Table from 'cli-table3';
import { holds, type Figure } from '../bench.ts';
import type { Result } from './results.ts';

const shown = (value: number | undefined, digits = 3): string =>
  value === undefined ? '' : value.toLocaleString('en', { maximumSignificantDigits: digits });

export function table(results: readonly Result[]): string {
  const rows = new Table({
    head: [
      'database',
      'system',
      'callers',
      'commands/s',
      'p50 ms',
      'p99 ms',
      'a batch',
      'tries',
      'cores',
      'errors',
      'control',
    ],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'left', 'left'],
  });
  for (const one of results) {
    const errors = Object.entries(one.errors).map(([name, count]) => `${name}: ${count.toLocaleString('en')}`);
    if (one.unanswered > 0) errors.push(`no answer: ${one.unanswered}`);
    const untrue = one.untrue.map(({ stored, acknowledged }) => `✗ ${acknowledged} acknowledged, ${stored} stored`);
    rows.push([
      one.database,
      one.system,
      one.case,
      shown(one.rate),
      shown(one.p50),
      shown(one.p99),
      shown(one.group),
      shown(one.tries),
      shown(one.busy, 2),
      errors.join('\n'),
      untrue.length > 0 ? untrue.join('\n') : '✓',
    ]);
  }
  return rows.toString();
}

export function limitsTable(figures: readonly Figure[]): string {
  const rows = new Table({
    head: ['Tidemark on PostgreSQL', 'figure', 'limit', ''],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'left'],
  });
  for (const figure of figures) {
    const { name, ours, ratio, atLeast, atMost } = figure;
    const limit = atLeast !== undefined ? `≥ ${shown(atLeast)}` : atMost !== undefined ? `≤ ${shown(atMost)}` : '';
    const verdict = limit === '' ? '' : holds(figure) === true ? '✓' : '✗';
    rows.push([name, shown(ratio ?? ours) || 'not measured', limit, verdict]);
  }
  return rows.toString();
}
