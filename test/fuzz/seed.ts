/** Random tests print their seed when they fail, and take it back: TIDEMARK_SEED=… TIDEMARK_RUNS=… vitest run test/fuzz. */
import type { Parameters } from 'fast-check';

function setting(name: string): number | undefined {
  const value = process.env[name];
  if (value === undefined || value === '') return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new TypeError(`${name} must be a whole number, not ${value}.`);
  return number;
}

/** The seed of this run: given, or another one each time. */
export const SEED = setting('TIDEMARK_SEED') ?? Math.floor(Math.random() * 2 ** 31);

/** How often: as told, or as often as fits into continuous integration. */
export function runs(usual: number): number {
  return setting('TIDEMARK_RUNS') ?? usual;
}

/** For `fc.assert`, which prints the seed and the smallest failing value. */
export function seeded<T>(usual: number): Parameters<T> {
  return { seed: SEED, numRuns: runs(usual) };
}

/** A sequence of whole numbers below a bound, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
