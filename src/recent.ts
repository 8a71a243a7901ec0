/**
 * Values used last, bounded: by any key, or by document.
 *
 * Two generations replace a list in the order of use. A touched value comes into the young one; when that is full it becomes
 * the old one, and values not touched meanwhile go. A touch costs a look-up or two, and between half of the bound and all of it
 * stays in memory.
 */
export class Recent<Key, Value> {
  readonly #generationMax: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** @param max without it values only go by {@link age} */
  constructor(max = Infinity) {
    this.#generationMax = max / 2;
  }

  /** At least so many: values of the old generation that were used since are in both. */
  get size(): number {
    return Math.max(this.#young.size, this.#old.size);
  }

  get(key: Key): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    this.#young.set(key, value);
    if (this.#young.size >= this.#generationMax) this.age();
  }

  has(key: Key): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  delete(key: Key): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** Values of the old generation that were used since come twice. */
  *values(): IterableIterator<Value> {
    yield* this.#young.values();
    yield* this.#old.values();
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  /** The young generation becomes the old one. Returns what went; some of it may be in the old one too. */
  age(): Iterable<Value> {
    const gone = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    return gone.values();
  }
}

/** The weight of values, in any unit. The weight of a value never changes. */
export interface Weighing<Value> {
  /** The most that all may weigh together. */
  readonly max: number;
  of(value: Value): number;
}

/** The place of a value, for code that comes back often: a look-up by document costs several times as much. */
export interface Kept<Value> {
  /** Undefined once the value has gone. */
  readonly value: Value | undefined;
}

/** Number and weight of one generation. */
interface Sum {
  size: number;
  weight: number;
}

interface Counted<Value> extends Kept<Value> {
  value: Value | undefined;
  /** The generation in which it counts. */
  sum: Sum;
}

const UNWEIGHED: Weighing<unknown> = { max: Infinity, of: () => 0 };

/** Values by document, bounded in number and in weight. */
export class RecentDocuments<Value> {
  readonly #generationMax: number;
  readonly #weighing: Weighing<Value>;
  /** Collections first, ids within: a key made of both would be a new string for each look-up. */
  readonly #collections = new Map<string, Recent<string, Counted<Value>>>();
  #young: Sum = { size: 0, weight: 0 };
  #old: Sum = { size: 0, weight: 0 };

  constructor(entriesMax: number, weighing: Weighing<Value> = UNWEIGHED) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
    this.#weighing = weighing;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get weight(): number {
    return this.#young.weight + this.#old.weight;
  }

  get(collection: string, id: string): Value | undefined {
    return this.find(collection, id)?.value;
  }

  find(collection: string, id: string): Kept<Value> | undefined {
    const documents = this.#collections.get(collection);
    const kept = documents?.get(id);
    if (kept === undefined || kept.sum === this.#young) return kept;
    if (kept.value === undefined) return undefined;
    this.#put(documents!, id, kept, kept.value);
    return kept;
  }

  /** Replaces a kept value. False if the value has gone, or the new one is too heavy for its place. */
  replace(kept: Kept<Value>, value: Value): boolean {
    const counted = kept as Counted<Value>;
    if (counted.value === undefined) return false;
    const more = this.#weighing.of(value) - this.#weighing.of(counted.value);
    if (more > 0 && counted.sum.weight + more > this.#weighing.max / 2) return false;
    counted.sum.weight += more;
    counted.value = value;
    return true;
  }

  /** Keeps a value for a document. A value that alone weighs more than `max` isn't kept. */
  set(collection: string, id: string, value: Value): void {
    let documents = this.#collections.get(collection);
    if (!documents) this.#collections.set(collection, (documents = new Recent()));
    const before = documents.get(id);
    if (before?.sum === this.#young && this.replace(before, value)) return;
    this.#put(documents, id, before ?? { value: undefined, sum: this.#young }, value);
  }

  delete(collection: string, id: string): void {
    const documents = this.#collections.get(collection);
    const kept = documents?.get(id);
    if (kept === undefined) return;
    this.#take(kept);
    documents!.delete(id);
  }

  deleteAll(collection: string): void {
    const documents = this.#collections.get(collection);
    if (!documents) return;
    for (const kept of documents.values()) this.#take(kept);
    documents.clear();
  }

  /** Moves into the young generation. */
  #put(documents: Recent<string, Counted<Value>>, id: string, kept: Counted<Value>, value: Value): void {
    const { max } = this.#weighing;
    const weight = this.#weighing.of(value);
    this.#take(kept);
    if (weight > max) return documents.delete(id);
    if (this.#young.weight + weight > max / 2) this.#age();
    // The old generation may have to go too.
    if (this.weight + weight > max) this.#age();
    kept.value = value;
    kept.sum = this.#young;
    kept.sum.size += 1;
    kept.sum.weight += weight;
    documents.set(id, kept);
    if (this.#young.size >= this.#generationMax) this.#age();
  }

  /** It counts no more, and whoever holds its place sees that it is gone. */
  #take(kept: Counted<Value>): void {
    if (kept.value === undefined) return;
    kept.sum.size -= 1;
    kept.sum.weight -= this.#weighing.of(kept.value);
    kept.value = undefined;
  }

  #age(): void {
    const gone = this.#old;
    for (const documents of this.#collections.values()) {
      for (const kept of documents.age()) if (kept.sum === gone) kept.value = undefined;
    }
    this.#old = this.#young;
    this.#young = { size: 0, weight: 0 };
  }
}
