/** Random numbers that a failed run can be repeated with: TIDEMARK_SEED. */
import { onTestFailed } from 'vitest';

/** Numbers from 0 up to 1. */
export type Random = () => number;

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run. */
export function seedOfRun(): number {
  return Number(process.env['TIDEMARK_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
}

/** Random numbers for a test, which says its seed if it fails. To be called within the test. */
export function seeded(): Random {
  const seed = seedOfRun();
  onTestFailed(() => void process.stderr.write(`To choose the same again: TIDEMARK_SEED=${seed}\n`));
  return randomOf(seed);
}

/** A number of the environment, for runs longer than the one in CI. */
export function setting(name: string, otherwise: number): number {
  const given = process.env[name];
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not ${given}.`);
  return value;
}
