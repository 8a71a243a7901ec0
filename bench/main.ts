/** `npm run bench`. Each measure runs in a process of its own, so that its peak memory is its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { chosen, parsed, script } from '../scripts/options.ts';
import { holds, type Bench, type Figure } from './bench.ts';
import { crowds } from './measures/crowds.ts';
import { documents } from './measures/documents.ts';
import { finding } from './measures/finding.ts';
import { fold } from './measures/fold.ts';
import { followers } from './measures/followers.ts';
import { growth, heap } from './measures/growth.ts';
import { largeStates } from './measures/large-states.ts';
import { loopDelay } from './measures/loop-delay.ts';
import { loopHeld } from './measures/loop-held.ts';
import { making } from './measures/making.ts';
import { reduction } from './measures/reduction.ts';
import { servers } from './measures/servers.ts';
import { throughput } from './measures/throughput.ts';
import { makeMarket } from './workload.ts';

const MEASURES: Record<string, (bench: Bench) => Promise<Figure[]>> = {
  throughput,
  servers,
  documents,
  fold,
  reduction,
  making,
  finding,
  largeStates,
  loopDelay,
  followers,
  crowds,
  loopHeld,
  growth,
  heap,
};

interface Measured {
  readonly figures: readonly Figure[];
  readonly peakMiB: number;
}

const HELP = `How close Tidemark comes to a bare loop over SQLite, and what else has a limit.

  npm run bench -- [options]

  --only NAME  one measure: ${Object.keys(MEASURES).join(', ')}
  --quick      for a look: the figures say nothing then
  --json       the last line of stdout is one JSON object
  --svg FILE   the picture of a measure that has one: servers
  --help       this text

Exit code: 0 all limits are kept; 1 one isn't, or the bare loop was too slow to compare with; 2 an option is wrong.
`;

function read(args: readonly string[]) {
  const values = parsed(args, {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    svg: { type: 'string' },
    // For the process of a measure.
    folder: { type: 'string' },
  });
  return { ...values, measures: chosen('only', values.only, Object.keys(MEASURES)) };
}
type Options = ReturnType<typeof read>;

async function main(options: Options): Promise<number> {
  if (options.folder !== undefined) {
    await measure(options.measures[0]!, options.folder, options);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const results: Record<string, Measured> = {};
  try {
    await makeMarket(join(folder, 'template.db'));
    for (const name of options.measures) {
      console.error(`measuring ${name} …`);
      results[name] = await inProcess(name, folder, options);
      console.error(table(name, results[name]));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const figures = Object.values(results).flatMap((one) => one.figures);
  const missed = figures.filter((figure) => holds(figure) === false);
  const broken = figures.filter(({ bare, floor }) => floor !== undefined && bare !== undefined && bare < floor);
  for (const { name } of missed) console.error(`missed: ${name}`);
  for (const { name } of broken) console.error(`the bare loop is below its floor, so nothing is said by: ${name}`);
  if (options.json) {
    const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
    console.log(
      JSON.stringify({ machine, quick: options.quick, results, missed: names(missed), broken: names(broken) }),
    );
  }
  return missed.length + broken.length > 0 ? 1 : 0;
}

function names(figures: readonly Figure[]): readonly string[] {
  return figures.map(({ name }) => name);
}

async function inProcess(name: string, folder: string, { quick, svg }: Options): Promise<Measured> {
  const args = ['--only', name, '--folder', folder, ...(quick ? ['--quick'] : []), ...(svg ? ['--svg', svg] : [])];
  const child = fork(import.meta.filename, args, { execArgv: [...process.execArgv, '--expose-gc'] });
  const exit = once(child, 'exit');
  const [result] = (await Promise.race([once(child, 'message'), exit.then(() => [])])) as [Measured?];
  if (!result) throw new Error(`The measure ${name} failed.`);
  await exit;
  return result;
}

async function measure(name: string, folder: string, { quick, svg }: Options): Promise<void> {
  const own = mkdtempSync(join(folder, `${name}-`));
  let files = 0;
  const fresh = (): string => join(own, `${(files += 1)}.db`);
  const bench: Bench = {
    template: join(folder, 'template.db'),
    fresh,
    copyOf: (file) => {
      const copy = fresh();
      copyFileSync(file, copy);
      return copy;
    },
    ms: quick ? 300 : 2_000,
    rounds: quick ? 1 : 5,
    quick,
    svg,
  };
  const figures = await MEASURES[name]!(bench);
  rmSync(own, { recursive: true, force: true });
  process.send!({ figures, peakMiB: process.resourceUsage().maxRSS / 1024 } satisfies Measured, () =>
    process.disconnect(),
  );
}

function shown(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

function table(name: string, { figures, peakMiB }: Measured): string {
  const rows = new Table({
    head: [name, 'tidemark', 'bare loop', 'ratio', 'limit', ''],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
  });
  for (const figure of figures) {
    const { atLeast, atMost } = figure;
    const limit = atLeast !== undefined ? `≥ ${shown(atLeast)}` : atMost !== undefined ? `≤ ${shown(atMost)}` : '';
    const verdict = holds(figure);
    rows.push([
      figure.name,
      shown(figure.ours),
      shown(figure.bare),
      shown(figure.ratio),
      limit,
      verdict === undefined ? '' : verdict ? '✓' : '✗',
    ]);
  }
  rows.push(['peak memory: MiB', shown(peakMiB), '', '', '', '']);
  return rows.toString();
}

await script(HELP, read, main);
