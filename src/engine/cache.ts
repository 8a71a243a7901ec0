/**
 * The document cache: bounded, and cheap to look into.
 *
 * Two generations stand in for a list ordered by use: what is touched moves to the young one; when that holds half of
 * the bound it becomes the old one, and what nobody touched meanwhile goes. A touch costs a map look-up or two, and
 * between half of the bound and all of it stays in memory.
 */
export class Cache<Value> {
  readonly #generationMax: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    if (this.#young.size < this.#generationMax) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/** The cache's key of a document. A collection's name may hold anything but NUL. */
export function documentKey(collection: string, id: string): string {
  return `${collection}\0${id}`;
}
