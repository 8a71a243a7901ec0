/**
 * A map by document. Collections first, ids within: a key made of both would be a new string for each look-up, and
 * hashing it costs more than the look-up.
 */
export class DocumentMap<Value> {
  readonly #collections = new Map<string, Map<string, Value>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(collection: string, id: string): Value | undefined {
    return this.#collections.get(collection)?.get(id);
  }

  set(collection: string, id: string, value: Value): void {
    let documents = this.#collections.get(collection);
    if (!documents) this.#collections.set(collection, (documents = new Map()));
    const before = documents.size;
    documents.set(id, value);
    this.#size += documents.size - before;
  }

  delete(collection: string, id: string): void {
    if (this.#collections.get(collection)?.delete(id)) this.#size -= 1;
  }

  *values(): Generator<Value> {
    for (const documents of this.#collections.values()) yield* documents.values();
  }
}
