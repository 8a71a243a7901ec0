/** A run: a fresh PostgreSQL, those who take part, the measures, and what is said of them. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { holds } from '../bench.ts';
import { chartOf } from './chart.ts';
import type { Sizes } from './contestant.ts';
import { judged } from './limits.ts';
import { measure } from './measure.ts';
import { startPostgres } from './postgres.ts';
import { contestants } from './systems.ts';
import { limitsTable, table } from './table.ts';

const FULL: Sizes = { services: 5_000, rounds: 3, warmMs: 500, ms: 1_500, drainMs: 3_000 };
const QUICK: Sizes = { services: 500, rounds: 1, warmMs: 300, ms: 700, drainMs: 2_000 };

export interface Options {
  /** Parts of names or databases; all take part if there are none. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** Files to write. */
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

export async function run({ only, quick, json, svg }: Options): Promise<number> {
  const sizes = quick ? QUICK : FULL;
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-peers-files-'));
  chmodSync(folder, 0o700);
  const cluster = await startPostgres();
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${new Date().toISOString().slice(0, 10)}`);
  console.log(
    `PostgreSQL: ${Object.entries(cluster.settings)
      .map((pair) => pair.join(' = '))
      .join(', ')}`,
  );
  console.log(`${JSON.stringify(sizes)}, a checkpoint before each run`);
  const cleanUp = async (): Promise<void> => {
    await cluster.end();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
  try {
    const chosen = await contestants(only, sizes, cluster, folder);
    const { results, systems, notMeasured } = await measure(chosen, sizes, cluster);
    const figures = judged(results);
    console.log(table(results));
    for (const { name, database, versions, setup } of systems)
      console.log(`${name} (${database})${versions === '' ? '' : `: ${versions}`}; ${setup}`);
    for (const { name, database, why } of notMeasured) console.log(`not measured: ${name} (${database}): ${why}`);
    const untrue = results.filter((one) => one.untrue.length > 0);
    const missed = figures.filter(
      (figure) => holds(figure) !== true && (figure.atLeast ?? figure.atMost) !== undefined,
    );
    // A part of them says nothing about limits that rest on the others.
    if (only.length === 0) {
      console.log(limitsTable(figures));
      for (const { name } of missed) console.error(`missed: ${name}`);
    } else console.log(limitsTable(figures.filter(({ ratio }) => ratio !== undefined)));
    for (const one of untrue) console.error(`not what callers were told: ${one.system} (${one.database}), ${one.case}`);
    if (json) {
      const { settings } = cluster;
      const all = { machine, postgres: settings, quick, sizes, systems, notMeasured, results, figures };
      writeFileSync(json, `${JSON.stringify(all, undefined, 2)}\n`);
    }
    if (svg) writeFileSync(svg, chartOf(results, machine, cluster.settings['server_version'] ?? ''));
    return untrue.length > 0 || (only.length === 0 && missed.length > 0) ? 1 : 0;
  } finally {
    await cleanUp();
  }
}
