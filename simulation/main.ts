/**
 * The simulation for hours: `npm run simulate -- --seed 1 --hours 2`. Goes from seed to seed; the first that breaks a law
 * ends it with exit code 1, its trace's tail, and the command that runs it again.
 */
import { amount, Misused, parsed, script, shown, whole } from '../scripts/options.ts';
import { DEFECTS } from './defects.ts';
import { storesOf, isStore, type Stores } from './stores.ts';
import { runSeed, type Run } from './run.ts';

const SEED_MAX = Number.MAX_SAFE_INTEGER;

const HELP = `Runs the engine in a simulated world, one seed after the other, and checks the laws.

  npm run simulate -- [options]

  --seed N       the first seed (from the clock, and printed)
  --runs N       how many seeds (1000, or no bound with --hours)
  --hours H      for how long
  --trace        print the whole trace of each run
  --store STORE  each run is replayed on sqlite:, postgres: (started for it) or postgres://…, and the answers compared
  --defect NAME  plant a defect: ${Object.keys(DEFECTS).join('; ')}
  --help         this text

Exit code: 0 all laws hold; 1 a law is broken; 2 an option is wrong.
`;

interface Options {
  readonly seed: number | undefined;
  readonly runs: number | undefined;
  readonly hours: number | undefined;
  readonly trace: boolean;
  readonly store: string | undefined;
  readonly defect: string | undefined;
}

function read(args: readonly string[]): Options {
  const values = parsed(args, {
    seed: { type: 'string' },
    runs: { type: 'string' },
    hours: { type: 'string' },
    trace: { type: 'boolean', default: false },
    store: { type: 'string' },
    defect: { type: 'string' },
  });
  const { seed, runs, hours, trace, store, defect } = values;
  if (store !== undefined && !isStore(store))
    throw new Misused(`--store must be sqlite:, postgres: or postgres://…, not ${shown(store)}.`);
  if (defect !== undefined && !Object.hasOwn(DEFECTS, defect))
    throw new Misused(`--defect: there is no defect named ${shown(defect)}. See --help.`);
  return {
    seed: seed === undefined ? undefined : whole('seed', seed, 0, SEED_MAX),
    runs: runs === undefined ? undefined : whole('runs', runs, 0, Number.MAX_SAFE_INTEGER),
    hours: hours === undefined ? undefined : amount('hours', hours),
    trace,
    store,
    defect,
  };
}

function print(lines: string): void {
  process.stdout.write(`${lines}\n`);
}

function tellFailure({ seed, tail, steps }: Run, error: unknown, { store, defect }: Options): void {
  print(tail.join('\n'));
  print(`\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  // A URL may hold a password.
  const replayed = store === undefined ? '' : ` --store ${store.replace(/:\/\/.*/, '://…')}`;
  const same = (defect === undefined ? '' : ` --defect '${defect}'`) + replayed;
  print(
    `Seed ${seed} broke it after ${steps} steps. Again: npm run simulate -- --seed ${seed} --runs 1 --trace${same}`,
  );
}

async function main(options: Options): Promise<number> {
  const stores = options.store === undefined ? undefined : await storesOf(options.store);
  try {
    return await simulate(options, stores);
  } finally {
    await stores?.end();
  }
}

async function simulate(options: Options, stores: Stores | undefined): Promise<number> {
  const { hours, trace, defect } = options;
  const plant = defect === undefined ? undefined : DEFECTS[defect];
  const start = Date.now();
  const first = options.seed ?? start % 1_000_000_000;
  const until = hours === undefined ? Infinity : start + hours * 3_600_000;
  const runs = options.runs ?? (hours === undefined ? 1_000 : Infinity);
  print(`Simulating from seed ${first}.`);
  const sum = { seeds: 0, steps: 0, commits: 0, answers: 0 };
  const met = new Map<string, number>();
  let told = start;
  const tell = (): void => {
    const seconds = (Date.now() - start) / 1_000;
    const rate = (sum.seeds / seconds).toFixed(0);
    const compared = stores ? `${sum.answers} answers compared, ` : '';
    print(
      `${sum.seeds} seeds, ${sum.commits} commits, ${sum.steps} steps, ${compared}${seconds.toFixed(0)} s, ${rate} seeds/s`,
    );
  };
  while (sum.seeds < runs && Date.now() < until) {
    const run = await runSeed(first + sum.seeds, { plant, trace, notes: stores !== undefined });
    if (run.broken) {
      tellFailure(run, run.broken, options);
      return 1;
    }
    try {
      sum.answers += (await stores?.replay(run))?.answers ?? 0;
    } catch (error) {
      tellFailure(run, error, options);
      return 1;
    }
    if (trace) print(run.tail.join('\n'));
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

await script(HELP, read, main);
