/** Random numbers that a failed run can be repeated with: TIDEMARK_SEED. */
import { onTestFailed } from 'vitest';
import { Chance } from '../../src/testing/conformance/random.ts';
import { setting } from './setting.ts';

/** Numbers from 0 up to 1. */
export type Random = () => number;

export function randomOf(seed: number): Random {
  const chance = new Chance(seed);
  return () => chance.below(2 ** 32) / 2 ** 32;
}

/** The seed of this run. */
export function seedOfRun(): number {
  return setting('TIDEMARK_SEED', Math.floor(Math.random() * 2 ** 32) + 1);
}

/** Random numbers for a test, which says its seed if it fails. To be called within the test. */
export function seeded(): Random {
  const seed = seedOfRun();
  onTestFailed(() => void process.stderr.write(`To choose the same again: TIDEMARK_SEED=${seed}\n`));
  return randomOf(seed);
}
