/** The simulation can fail: each defect that is planted in the store or in the engine shows within so many seeds. */
import { describe, expect, it } from 'vitest';
import { DEFECTS } from '../../simulation/defects.ts';
import { runSeed } from '../../simulation/run.ts';

/** A planted defect must show within so many seeds. */
const DEFECT_SEEDS = 600;

describe('the simulation finds a store or an engine where', () => {
  it.each(Object.keys(DEFECTS))('%s', { timeout: 300_000 }, async (name) => {
    for (let seed = 1; seed <= DEFECT_SEEDS; seed += 1) {
      if (!(await runSeed(seed, { plant: DEFECTS[name]! })).broken) continue;
      // By the defect, and by nothing else.
      expect((await runSeed(seed)).broken).toBeUndefined();
      return;
    }
    throw new Error(`the defect lived through ${DEFECT_SEEDS} seeds`);
  });
});
