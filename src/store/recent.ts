/**
 * What is kept of the documents used last: bounded, and cheap to look into.
 *
 * Two generations stand in for a list ordered by use: what is touched moves to the young one; when that holds half of
 * the bound it becomes the old one, and what nobody touched meanwhile goes. A touch costs a look-up or two, and between
 * half of the bound and all of it stays in memory.
 */
import { DocumentMap } from './document-map.ts';

export class RecentDocuments<Value> {
  readonly #generationMax: number;
  #young = new DocumentMap<Value>();
  #old = new DocumentMap<Value>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(collection: string, id: string): Value | undefined {
    const young = this.#young.get(collection, id);
    if (young !== undefined) return young;
    const old = this.#old.get(collection, id);
    if (old !== undefined) {
      this.#old.delete(collection, id);
      this.set(collection, id, old);
    }
    return old;
  }

  set(collection: string, id: string, value: Value): void {
    this.#young.set(collection, id, value);
    if (this.#young.size < this.#generationMax) return;
    this.#old = this.#young;
    this.#young = new DocumentMap();
  }

  delete(collection: string, id: string): void {
    this.#young.delete(collection, id);
    this.#old.delete(collection, id);
  }
}
