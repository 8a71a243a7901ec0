/** A seeded stream of numbers, so that a run can be repeated. (Mulberry32: 32 bits of state, public domain.) */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to, but without, `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** `count` of the items, each at most once, in random order. */
  sample<Item>(items: readonly Item[], count: number): Item[] {
    const left = [...items];
    for (let index = 0; index < count && index < left.length; index += 1) {
      const other = index + this.below(left.length - index);
      [left[index], left[other]] = [left[other]!, left[index]!];
    }
    return left.slice(0, count);
  }
}
