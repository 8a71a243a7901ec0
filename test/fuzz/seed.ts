/** Random tests print their seed when they fail, and take it back: TIDEMARK_SEED=… TIDEMARK_RUNS=… vitest run test/fuzz. */
import type { Parameters } from 'fast-check';
import { seedOfRun } from '../support/seed.ts';
import { setting } from '../support/setting.ts';

/** The seed of this run: given, or another one each time. fast-check takes whole numbers of 32 bits with a sign. */
export const SEED = seedOfRun() | 0;

/** How often: as told, or as often as there is time for, which in the run of all tests is more. */
export function runs(usual: number, all = usual): number {
  return setting('TIDEMARK_RUNS', usual, all);
}

/** For `fc.assert`, which prints the seed and the smallest failing value. */
export function drawn<T>(usual: number, all = usual): Parameters<T> {
  return { seed: SEED, numRuns: runs(usual, all) };
}
