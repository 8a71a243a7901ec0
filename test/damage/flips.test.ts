/**
 * One flipped bit in the file: found by opening it or by verify(), and named by its position, wherever it lies in live
 * rows. More of them: TIDEMARK_RUNS=20000 vitest run test/damage/flips.
 */
/* eslint-disable no-console -- the seed and what was met */
/* eslint-disable vitest/no-standalone-expect -- what the tests rest on */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, expect, test } from 'vitest';
import { runs, SEED } from '../fuzz/seed.ts';
import { temporaryFolder } from '../support/stores.ts';
import { foreignErrors } from './asking.ts';
import { flip, flipBits, openAndVerify, type Spans } from './flips.ts';
import { COMMITS, makeShopLog } from './shop-log.ts';

const folder = temporaryFolder();
const sound = join(folder, 'sound.db');
let spans: Spans;

beforeAll(async () => {
  // Before anything can hang.
  console.log(`flips: seed ${SEED}`);
  await makeShopLog(sound);
  const database = new DatabaseSync(sound, { returnArrays: true });
  // A flip in what a row was before it was written anew is no damage.
  database.exec('VACUUM');
  const rows = database.prepare('SELECT position, position + event_count - 1 FROM commits').all();
  spans = rows as unknown as Spans;
  database.close();
  expect(spans).toHaveLength(COMMITS);
});

const FLIPS = runs(30, 120);
const FLIPS_ASKED = runs(10, 50);
const PATIENCE_MS = 60_000;
const PATIENCE_MS_EACH = 200;

test(
  'law 9: a flipped bit in live rows is found, and named by its position',
  { timeout: PATIENCE_MS + FLIPS * PATIENCE_MS_EACH },
  async () => {
    const copy = join(folder, 'flipped.db');
    const tally = await flipBits(sound, copy, { seed: SEED, flips: FLIPS, spans, look: openAndVerify });
    expect(tally.missed).toEqual([]);
    expect(tally.found).toBe(tally.live);
    // Else the test would be about nothing.
    // A quarter of the flips are of live rows, a sixth can be named by position; fewer are met by chance where few are made.
    expect(tally.live).toBeGreaterThan(Math.max(0, FLIPS / 8 - 5));
    expect(tally.positioned).toBeGreaterThanOrEqual(Math.max(0, FLIPS / 20 - 3));
    console.log(`flips: ${JSON.stringify({ seed: SEED, ...tally, missed: undefined })}`);
  },
);

test('law 9, control: a look that sees nothing misses every live flip, and one that names no position is told so', async () => {
  const copy = join(folder, 'control.db');
  const blind = await flipBits(sound, copy, { seed: SEED, flips: 100, spans, look: async () => [] });
  expect(blind.missed.length).toBeGreaterThanOrEqual(blind.live);
  expect(blind.live).toBeGreaterThan(10);
  const vague = await flipBits(sound, copy, {
    seed: SEED,
    flips: 100,
    spans,
    look: async () => [
      {
        code: 'Chain',
        message: 'Something is wrong.',
      },
    ],
  });
  expect(vague.missed).toHaveLength(vague.positioned);
});

test(
  'whatever bit is flipped, nothing but our errors surfaces from any question, and each question ends',
  { timeout: PATIENCE_MS + FLIPS_ASKED * PATIENCE_MS_EACH },
  async () => {
    const copy = join(folder, 'asked.db');
    const found: string[] = [];
    const look = async (file: string) => {
      found.push(...(await foreignErrors(file)));
      return 'asked';
    };
    await flipBits(sound, copy, { seed: SEED + 1, flips: FLIPS_ASKED, spans, look });
    expect({ seed: SEED, found }).toEqual({ seed: SEED, found: [] });
  },
);

test('law 9: a name flipped in an index leads nobody round in circles', async () => {
  const bytes = readFileSync(sound);
  const copy = join(folder, 'index.db');
  let places = 0;
  for (const name of ['USER_REGISTERED', 'services', 'users', 'SERVICE_BOUGHT']) {
    for (let offset = bytes.indexOf(name); offset >= 0; offset = bytes.indexOf(name, offset + 1)) {
      for (const bit of [7, 4, 0]) {
        flip(sound, copy, offset, bit);
        expect((await openAndVerify(copy)).length, `${name} at byte ${offset}, bit ${bit}`).toBeGreaterThan(0);
        places += 1;
      }
    }
  }
  expect(places).toBeGreaterThan(10);
});
