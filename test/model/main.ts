/**
 * The model-based test for hours: `node --conditions=@tidemark/source test/model/main.ts --seed 1 --hours 2`. Every store
 * in turn, seed after seed; the first plan that breaks a law is shrunk and printed, and ends it with exit code 1.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { checkStore } from './property.ts';

/** Plans under one seed; a store on disk gets a tenth of them. */
const ROUND_RUNS = 500;

const { values } = parseArgs({
  options: { seed: { type: 'string' }, hours: { type: 'string', default: '1' }, store: { type: 'string' } },
});

const folder = mkdtempSync(join(tmpdir(), 'tidemark-model-'));
let files = 0;
const stores: Record<string, { readonly make: MakeStore; readonly runs: number }> = {
  memory: { make: (options) => memory(options), runs: ROUND_RUNS },
  sqlite: { make: (options) => sqlite(join(folder, `${(files += 1)}.db`), options), runs: ROUND_RUNS / 10 },
};

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  const start = Date.now();
  const until = start + Number(values.hours) * 3_600_000;
  let seed = Number(values.seed ?? start % 1_000_000_000);
  const chosen = Object.entries(stores).filter(([name]) => values.store === undefined || values.store === name);
  if (!Number.isFinite(until) || !Number.isInteger(seed) || chosen.length === 0) {
    print(`--seed N, --hours H, --store ${Object.keys(stores).join('|')}`);
    return 2;
  }
  let plans = 0;
  do {
    for (const [name, { make, runs }] of chosen) {
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
  process.exitCode = await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
