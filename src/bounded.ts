/**
 * A map that forgets what wasn't used for long: two generations of half the size, the older dropped as a whole. Cheaper
 * by far than keeping entries in order of use.
 */
export class Bounded<K, V> {
  readonly #half: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(max: number) {
    this.#half = max / 2;
  }

  /** At least so many: those of the older generation that were used since stand in both. */
  get size(): number {
    return Math.max(this.#young.size, this.#old.size);
  }

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
