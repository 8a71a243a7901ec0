/**
 * The simulation for hours: `node --conditions=@tidemark/source simulation/main.ts --seed 1 --hours 2`. Goes from seed to
 * seed; the first that breaks a law ends it with exit code 1, its trace's tail, and the command that runs it again.
 */
import { parseArgs } from 'node:util';
import { DEFECTS } from './defects.ts';
import { enginesOf, type Engines } from './engines.ts';
import { runSeed, type Run } from './run.ts';

const HELP = `Runs the engine in a simulated world, one seed after the other, and checks the laws.

  --seed N       the first seed (default: from the clock)
  --runs N       how many seeds (default: 1000, or no bound with --hours)
  --hours H      for how long
  --trace        print the whole trace of each run
  --store ENGINE each run is replayed on sqlite:, postgres: (started for it) or postgres://…, and the answers compared
  --defect NAME  plant a defect: ${Object.keys(DEFECTS).join('; ')}
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    hours: { type: 'string' },
    trace: { type: 'boolean', default: false },
    store: { type: 'string' },
    defect: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function number(name: 'seed' | 'runs' | 'hours'): number | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new TypeError(`--${name} must be a number, not ${value}.`);
}

function print(lines: string): void {
  process.stdout.write(`${lines}\n`);
}

function tellFailure({ seed, tail, steps }: Run, error: unknown): void {
  print(tail.join('\n'));
  print(`\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  // A URL may hold a password.
  const store = values.store === undefined ? '' : ` --store ${values.store.replace(/:\/\/.*/, '://…')}`;
  const defect = (values.defect === undefined ? '' : ` --defect '${values.defect}'`) + store;
  print(
    `Seed ${seed} broke it after ${steps} steps. Again: npm run simulate -- --seed ${seed} --runs 1 --trace${defect}`,
  );
}

async function main(): Promise<number> {
  if (values.help || (values.defect !== undefined && !DEFECTS[values.defect])) {
    print(HELP);
    return values.help ? 0 : 2;
  }
  const engines = values.store === undefined ? undefined : await enginesOf(values.store);
  try {
    return await simulate(engines);
  } finally {
    await engines?.end();
  }
}

async function simulate(engines: Engines | undefined): Promise<number> {
  const plant = values.defect === undefined ? undefined : DEFECTS[values.defect];
  const start = Date.now();
  const first = number('seed') ?? start % 1_000_000_000;
  const hours = number('hours');
  const until = hours === undefined ? Infinity : start + hours * 3_600_000;
  const runs = number('runs') ?? (hours === undefined ? 1_000 : Infinity);
  print(`Simulating from seed ${first}.`);
  const sum = { seeds: 0, steps: 0, commits: 0, answers: 0 };
  const met = new Map<string, number>();
  let told = start;
  const tell = (): void => {
    const seconds = (Date.now() - start) / 1_000;
    const rate = (sum.seeds / seconds).toFixed(0);
    const compared = engines ? `${sum.answers} answers compared, ` : '';
    print(
      `${sum.seeds} seeds, ${sum.commits} commits, ${sum.steps} steps, ${compared}${seconds.toFixed(0)} s, ${rate} seeds/s`,
    );
  };
  while (sum.seeds < runs && Date.now() < until) {
    const run = await runSeed(first + sum.seeds, { plant, trace: values.trace, notes: engines !== undefined });
    if (run.broken) {
      tellFailure(run, run.broken);
      return 1;
    }
    try {
      sum.answers += (await engines?.replay(run))?.answers ?? 0;
    } catch (error) {
      tellFailure(run, error);
      return 1;
    }
    if (values.trace) print(run.tail.join('\n'));
    sum.seeds += 1;
    sum.steps += run.steps;
    sum.commits += run.commits;
    for (const [what, times] of run.met) met.set(what, (met.get(what) ?? 0) + times);
    if (Date.now() - told > 10_000) {
      told = Date.now();
      tell();
    }
  }
  const most = [...met].sort(([, one], [, other]) => other - one);
  print(`Met: ${most.map(([what, times]) => `${what} ${times}`).join(', ')}.`);
  tell();
  print('No law was broken.');
  return 0;
}

// Not by process.exit: what was printed to a pipe would be cut off.
process.exitCode = await main();
