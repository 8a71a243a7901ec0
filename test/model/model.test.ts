/**
 * Random domains, random commands from several servers, restarts between: after every step the log is what a model of the
 * laws says. `npm run model -- --seed N --hours H` goes on for hours.
 */
import { expect, it } from 'vitest';
import { memory } from 'tidemark/memory';
import { Chance } from '../../src/testing/conformance/random.ts';
import type { MakeStore } from '../../src/testing/conformance/case.ts';
import { setting } from '../support/setting.ts';
import { onEveryStore } from '../support/stores.ts';
import { checkStore } from './property.ts';

/** Plans for each store: those that write to a disk get fewer, and those that are reached by a network fewer still. */
const RUNS = setting('TIDEMARK_RUNS', 100, 200);
const SHARE: Readonly<Record<string, number>> = { memory: 1, sqlite: 10, postgres: 25 };
const sound: MakeStore = (options) => memory(options);

onEveryStore('the model', (makeStore) => {
  it(
    'laws 1 to 6 and 9, lessons 1, 2, 6, 7, 8, 9, 20, 21, 26: what is recorded, answered and read is what the model says',
    { timeout: 600_000 },
    async () => {
      // Derived, so that a seed given for one store is the same for all, and printed with the failure.
      const seed = Chance.fromEnvironment().seed | 0;
      const runs = Math.ceil(RUNS / SHARE[makeStore().name]!);
      const { failure } = await checkStore(makeStore, { seed, runs });
      if (failure !== undefined) throw new Error(`${failure}\nAgain: TIDEMARK_SEED=${seed}`);
    },
  );
});

it('passes what the defects are planted in, when there is none', async () => {
  expect((await checkStore(sound, { seed: 5, runs: 50 })).failure).toBeUndefined();
});
