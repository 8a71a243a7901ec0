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
  readonly documents: DocumentMap<Place<Value>>;
  weight: number;
}

/** Where a value is kept. Undefined once it has gone. */
interface Place<Value> {
  value: Value | undefined;
  generation: Generation<Value>;
}

/** Where a value is kept, for whoever comes back to it often: looking for it by its document costs several times as much. */
export interface Kept<Value> {
  /** Undefined once it has gone. */
  readonly value: Value | undefined;
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
    return this.find(collection, id)?.value;
  }

  /** Where the value of a document is kept. */
  find(collection: string, id: string): Kept<Value> | undefined {
    const young = this.#young.documents.get(collection, id);
    if (young !== undefined) return young;
    const old = this.#old.documents.get(collection, id);
    if (old !== undefined) this.#put(collection, id, old, old.value!);
    return old;
  }

  /** Keeps another value where one is kept. Whether it did: it may have gone, or there may be no room in its place. */
  replace(kept: Kept<Value>, value: Value): boolean {
    const place = kept as Place<Value>;
    if (place.value === undefined) return false;
    const more = this.#weighing.of(value) - this.#weighing.of(place.value);
    if (more > 0 && place.generation.weight + more > this.#weighing.max / 2) return false;
    place.generation.weight += more;
    place.value = value;
    return true;
  }

  /** Keeps a value in the place of the one before. One that alone weighs more than all may isn't kept. */
  set(collection: string, id: string, value: Value): void {
    const before = this.#young.documents.get(collection, id);
    // In its place, where there is room: what is deleted and set again leaves a gap in a Map each time.
    if (before !== undefined && this.replace(before, value)) return;
    const place = before ?? this.#old.documents.get(collection, id) ?? { value, generation: this.#young };
    this.#put(collection, id, place, value);
  }

  delete(collection: string, id: string): void {
    for (const { documents } of [this.#young, this.#old]) {
      const place = documents.get(collection, id);
      if (place !== undefined) this.#take(collection, id, place).value = undefined;
    }
  }

  /** Into the young generation, wherever it was. */
  #put(collection: string, id: string, place: Place<Value>, value: Value): void {
    const { max } = this.#weighing;
    const weight = this.#weighing.of(value);
    this.#take(collection, id, place).value = undefined;
    if (weight > max) return;
    if (this.#young.weight + weight > max / 2) this.#age();
    if (this.weight + weight > max) this.#forget();
    place.value = value;
    place.generation = this.#young;
    this.#young.documents.set(collection, id, place);
    this.#young.weight += weight;
    if (this.#young.documents.size >= this.#generationMax) this.#age();
  }

  /** Out of its generation, if it is in one. */
  #take(collection: string, id: string, place: Place<Value>): Place<Value> {
    const { documents } = place.generation;
    if (documents.get(collection, id) !== place) return place;
    documents.delete(collection, id);
    place.generation.weight -= this.#weighing.of(place.value!);
    return place;
  }

  #age(): void {
    this.#forget();
    this.#old = this.#young;
    this.#young = empty();
  }

  /** The old generation. Whoever still knows the places mustn't keep what was in them. */
  #forget(): void {
    for (const place of this.#old.documents.values()) place.value = undefined;
    this.#old = empty();
  }
}

function empty<Value>(): Generation<Value> {
  return { documents: new DocumentMap(), weight: 0 };
}
