/**
 * What is kept of the documents used last: bounded in number and in weight, and cheap to look into.
 *
 * Two generations stand in for a list ordered by use: what is touched moves to the young one; when that holds half of
 * the bound it becomes the old one, and what nobody touched meanwhile goes. A touch costs a look-up or two, and between
 * half of the bound and all of it stays in memory.
 */
import { DocumentMap } from './document-map.ts';

/** What values weigh, in any unit. The weight of a value never changes. */
export interface Weighing<Value> {
  /** What all of them may weigh. */
  readonly max: number;
  of(value: Value): number;
}

interface Generation<Value> {
  readonly documents: DocumentMap<Value>;
  weight: number;
}

const UNWEIGHED: Weighing<unknown> = { max: Infinity, of: () => 0 };

export class RecentDocuments<Value> {
  readonly #generationMax: number;
  readonly #weighing: Weighing<Value>;
  #young: Generation<Value> = empty();
  #old: Generation<Value> = empty();

  constructor(entriesMax: number, weighing: Weighing<Value> = UNWEIGHED) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
    this.#weighing = weighing;
  }

  get size(): number {
    return this.#young.documents.size + this.#old.documents.size;
  }

  get weight(): number {
    return this.#young.weight + this.#old.weight;
  }

  get(collection: string, id: string): Value | undefined {
    const young = this.#young.documents.get(collection, id);
    if (young !== undefined) return young;
    const old = this.#old.documents.get(collection, id);
    if (old !== undefined) this.set(collection, id, old);
    return old;
  }

  /** Keeps a value in the place of the one before. One that alone weighs more than all may isn't kept. */
  set(collection: string, id: string, value: Value): void {
    const { max } = this.#weighing;
    const weight = this.#weighing.of(value);
    const before = this.#young.documents.get(collection, id);
    // In its place, where there is room: what is deleted and set again leaves a gap in a Map each time.
    if (before === undefined || this.#young.weight + weight > max / 2) this.delete(collection, id);
    else this.#young.weight -= this.#weighing.of(before);
    if (weight > max) return;
    if (this.#young.weight + weight > max / 2) this.#age();
    if (this.weight + weight > max) this.#old = empty();
    this.#young.documents.set(collection, id, value);
    this.#young.weight += weight;
    if (this.#young.documents.size >= this.#generationMax) this.#age();
  }

  delete(collection: string, id: string): void {
    this.#drop(this.#young, collection, id);
    this.#drop(this.#old, collection, id);
  }

  #drop(from: Generation<Value>, collection: string, id: string): void {
    const value = from.documents.get(collection, id);
    if (value === undefined) return;
    from.documents.delete(collection, id);
    from.weight -= this.#weighing.of(value);
  }

  #age(): void {
    this.#old = this.#young;
    this.#young = empty();
  }
}

function empty<Value>(): Generation<Value> {
  return { documents: new DocumentMap(), weight: 0 };
}
