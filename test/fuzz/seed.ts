/** Random tests print their seed when they fail, and take it back: TIDEMARK_SEED=… TIDEMARK_RUNS=… vitest run test/fuzz. */
import type { Parameters } from 'fast-check';
import { Chance } from '../../src/testing/conformance/random.ts';
import { setting } from '../support/setting.ts';

/** The seed of this run: given, or another one each time. */
export const SEED = setting('TIDEMARK_SEED', Math.floor(Math.random() * 2 ** 31) + 1);

/** How often: as told, or as often as fits into continuous integration. */
export function runs(usual: number): number {
  return setting('TIDEMARK_RUNS', usual);
}

/** For `fc.assert`, which prints the seed and the smallest failing value. */
export function seeded<T>(usual: number): Parameters<T> {
  return { seed: SEED, numRuns: runs(usual) };
}

/** A sequence of whole numbers below a bound, the same for the same seed. */
export function randomNumbers(seed: number): (below: number) => number {
  const chance = new Chance(seed);
  return (below) => chance.below(below);
}
