/** A binary heap: the first value is known at once; adding and taking cost the logarithm of the size. */
export class Heap<Value> {
  readonly #values: Value[] = [];
  readonly #isBefore: (one: Value, other: Value) => boolean;

  constructor(isBefore: (one: Value, other: Value) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#values.length;
  }

  add(value: Value): void {
    const values = this.#values;
    let at = values.push(value) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(value, values[above]!)) break;
      values[at] = values[above]!;
      at = above;
    }
    values[at] = value;
  }

  /** Removes the first. */
  next(): Value | undefined {
    const values = this.#values;
    const first = values[0];
    const last = values.pop();
    if (values.length === 0 || last === undefined) return first;
    let at = 0;
    for (let below = 1; below < values.length; below = 2 * at + 1) {
      if (below + 1 < values.length && this.#isBefore(values[below + 1]!, values[below]!)) below += 1;
      if (!this.#isBefore(values[below]!, last)) break;
      values[at] = values[below]!;
      at = below;
    }
    values[at] = last;
    return first;
  }

  clear(): void {
    this.#values.length = 0;
  }
}
