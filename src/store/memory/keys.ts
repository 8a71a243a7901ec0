/** Keys in the order of their bytes, each with a document's id. A key is a string with a character for each byte. */
import { Buffer } from 'node:buffer';

/** Bytes as a key: strings of such characters are compared as their bytes are. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export class Keys {
  readonly #ids = new Map<string, string>();
  /** Sorted when they are read: changes since then are taken in by one pass over all. */
  #sorted: readonly string[] = [];
  readonly #added = new Set<string>();
  #dropped = false;

  add(key: string, id: string): void {
    if (!this.#ids.has(key)) this.#added.add(key);
    this.#ids.set(key, id);
  }

  /** The document's id; undefined if there is no such key. */
  get(key: string): string | undefined {
    return this.#ids.get(key);
  }

  drop(key: string): void {
    if (!this.#ids.delete(key)) return;
    // It may come again before the next read.
    if (!this.#added.delete(key)) this.#dropped = true;
  }

  /** Keys from `from` (inclusive) to `below` (exclusive) with their ids, in order or in reverse. */
  *range(from: string | undefined, below: string | undefined, reverse = false): Generator<readonly [string, string]> {
    const sorted = this.#settled();
    const first = from === undefined ? 0 : placeOf(sorted, from);
    const end = below === undefined ? sorted.length : placeOf(sorted, below);
    for (let n = 0; n < end - first; n += 1) {
      const key = sorted[reverse ? end - 1 - n : first + n]!;
      yield [key, this.#ids.get(key)!];
    }
  }

  #settled(): readonly string[] {
    if (this.#added.size === 0 && !this.#dropped) return this.#sorted;
    const added = [...this.#added].sort();
    const merged: string[] = [];
    let next = 0;
    for (const key of this.#sorted) {
      while (next < added.length && added[next]! <= key) merged.push(added[next++]!);
      if (this.#ids.has(key) && merged.at(-1) !== key) merged.push(key);
    }
    while (next < added.length) merged.push(added[next++]!);
    this.#sorted = merged;
    this.#added.clear();
    this.#dropped = false;
    return merged;
  }
}

/** How many keys are below this one. */
function placeOf(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
