/**
 * Random numbers that can be repeated: a random case that fails prints its seed, and `TIDEMARK_SEED` sets it.
 */
import assert from 'node:assert/strict';

export class Chance {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** The seed from `TIDEMARK_SEED`, or else a new one each time. */
  static fromEnvironment(): Chance {
    const given = globalThis.process?.env['TIDEMARK_SEED'];
    if (given !== undefined && !Number.isFinite(Number(given)))
      throw new TypeError(`TIDEMARK_SEED must be a number, not ${given}.`);
    return new Chance(given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given));
  }

  /** A whole number from 0 up to, but not including, `bound`. (Mulberry32.) */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  /** True once in so many times. */
  once(inTimes: number): boolean {
    return this.below(inTimes) === 0;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** So many of the values, each at most once, in random order. */
  sample<T>(values: readonly T[], count: number): T[] {
    const left = [...values];
    for (let index = 0; index < count && index < left.length; index += 1) {
      const other = index + this.below(left.length - index);
      [left[index], left[other]] = [left[other]!, left[index]!];
    }
    return left.slice(0, count);
  }

  /** Some of the values, in their order; each with the same chance. */
  some<T>(values: readonly T[]): T[] {
    return values.filter(() => this.once(2));
  }
}

/** Runs something with new random numbers. If it fails, it says how to repeat it. */
export async function repeatably(run: (chance: Chance) => Promise<void>): Promise<void> {
  const chance = Chance.fromEnvironment();
  try {
    await run(chance);
  } catch (error) {
    const message = `TIDEMARK_SEED=${chance.seed} repeats this: ${Error.isError(error) ? error.message : String(error)}`;
    throw new assert.AssertionError({ message, ...(Error.isError(error) && error.name === 'AssertionError' && error) });
  }
}
