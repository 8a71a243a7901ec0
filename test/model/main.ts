/**
 * The model-based test for hours: `npm run model -- --seed 1 --hours 2`. Each store in turn, seed after seed; the first
 * plan that breaks a law is shrunk and printed, and ends it with exit code 1.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { amount, chosen, parsed, script, whole } from '../../scripts/options.ts';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { checkStore } from './property.ts';

/** Plans under one seed; a store on disk gets a tenth of them. */
const ROUND_RUNS = 500;
/** Of 32 bits: what fast-check takes. */
const SEED_MAX = 2 ** 31 - 1;

const folder = mkdtempSync(join(tmpdir(), 'tidemark-model-'));
let files = 0;
const stores: Record<string, { readonly make: MakeStore; readonly runs: number }> = {
  memory: { make: (options) => memory(options), runs: ROUND_RUNS },
  sqlite: { make: (options) => sqlite(join(folder, `${(files += 1)}.db`), options), runs: ROUND_RUNS / 10 },
};

const HELP = `Runs random applications on each store, and compares them with a plain model of the laws.

  npm run model -- [options]

  --seed N      the first seed (from the clock, and printed)
  --hours H     for how long; 0 is one seed on each store (1)
  --store NAME  ${Object.keys(stores).join(', ')} (each)
  --help        this text

Exit code: 0 all laws hold; 1 a law is broken; 2 an option is wrong.
`;

function read(args: readonly string[]) {
  const values = parsed(args, {
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    hours: { type: 'string', default: '1' },
    store: { type: 'string' },
  });
  return {
    seed: whole('seed', values.seed, 0, SEED_MAX),
    hours: amount('hours', values.hours),
    names: chosen('store', values.store, Object.keys(stores)),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main({ seed, hours, names }: ReturnType<typeof read>): Promise<number> {
  const start = Date.now();
  const until = start + hours * 3_600_000;
  let plans = 0;
  do {
    for (const name of names) {
      const { make, runs } = stores[name]!;
      const { failure, runs: done } = await checkStore(make, { seed, runs });
      plans += done;
      if (failure !== undefined) {
        print(`${failure}\nOn the ${name} store. Again: npm run model -- --seed ${seed} --store ${name} --hours 0`);
        return 1;
      }
    }
    print(`${plans} plans up to seed ${seed}, ${((Date.now() - start) / 1_000).toFixed(0)} s`);
    seed += 1;
    // Hours of logs would fill the disk.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  } while (Date.now() < until);
  print('No law was broken.');
  return 0;
}

try {
  await script(HELP, read, main);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
