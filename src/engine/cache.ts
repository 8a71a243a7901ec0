/**
 * The document cache: bounded, and cheap to look into.
 *
 * Two generations stand in for a list ordered by use: what is touched moves to the young one; when that holds half of
 * the bound it becomes the old one, and what nobody touched meanwhile goes. A touch costs a look-up or two, and between
 * half of the bound and all of it stays in memory.
 */
import type { Folded } from '../model/reduce.ts';
import { DocumentMap } from './document-map.ts';

export class DocumentCache {
  readonly #generationMax: number;
  #young = new DocumentMap<Folded>();
  #old = new DocumentMap<Folded>();

  constructor(entriesMax: number) {
    this.#generationMax = Math.max(1, Math.floor(entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(collection: string, id: string): Folded | undefined {
    const young = this.#young.get(collection, id);
    if (young !== undefined) return young;
    const old = this.#old.get(collection, id);
    if (old !== undefined) {
      this.#old.delete(collection, id);
      this.#set(collection, id, old);
    }
    return old;
  }

  /** Takes a document in, unless a later version is there already: documents only move forward (law 6). */
  remember(collection: string, id: string, folded: Folded): void {
    const known = this.get(collection, id);
    if (known === undefined || known.version <= folded.version) this.#set(collection, id, folded);
  }

  forget(collection: string, id: string): void {
    this.#young.delete(collection, id);
    this.#old.delete(collection, id);
  }

  #set(collection: string, id: string, folded: Folded): void {
    this.#young.set(collection, id, folded);
    if (this.#young.size < this.#generationMax) return;
    this.#old = this.#young;
    this.#young = new DocumentMap();
  }
}
