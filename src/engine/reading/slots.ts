/**
 * Slots of documents by the store's numbers, in one array: where there are more documents than the processor's cache holds, a map
 * costs most of a fold's time.
 */

/** Instead of a slot: a document that the store hasn't named yet, or one that isn't folded. */
export const UNKNOWN = 0;
export const OTHERS = -1;

/** Room for the store's numbers of documents: numbers far beyond it are kept in a map. */
export const ROOM = 2 ** 16;

export class Slots {
  #near = new Int32Array(ROOM);
  readonly #far = new Map<number, number>();

  of(document: number): number {
    return document < this.#near.length ? this.#near[document]! : (this.#far.get(document) ?? UNKNOWN);
  }

  /** `used` slots are in use: room is made for numbers that aren't far more. */
  put(document: number, slot: number, used: number): void {
    if (document >= this.#near.length && document < used * 4 + ROOM) {
      this.#near = grown(this.#near, new Int32Array(document * 2));
      for (const [number, far] of this.#far) {
        if (number < this.#near.length) this.#near[number] = far;
      }
    }
    if (document < this.#near.length) this.#near[document] = slot;
    else this.#far.set(document, slot);
  }
}

export function grown<Numbers extends Int32Array | Float64Array>(numbers: Numbers, larger: Numbers): Numbers {
  larger.set(numbers);
  return larger;
}
