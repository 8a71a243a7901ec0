/**
 * Who waits in line. Joining it, leaving it from anywhere and finding its first cost the same however long it is. (A Set finds
 * its first by passing all places that were left before it: 100,000 who leave one after the other take 3 s.)
 */
export interface Place<Value> {
  readonly value: Value;
}

interface Standing<Value> extends Place<Value> {
  line: Line<Value> | undefined;
  before: Standing<Value> | undefined;
  after: Standing<Value> | undefined;
}

export class Line<Value> {
  #first: Standing<Value> | undefined;
  #last: Standing<Value> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Value | undefined {
    return this.#first?.value;
  }

  /** While nobody leaves. */
  *[Symbol.iterator](): Generator<Value> {
    for (let place = this.#first; place; place = place.after) yield place.value;
  }

  /** While nobody leaves. */
  *fromLast(): Generator<Value> {
    for (let place = this.#last; place; place = place.before) yield place.value;
  }

  /** At the end. */
  add(value: Value): Place<Value> {
    const place: Standing<Value> = { value, line: this, before: this.#last, after: undefined };
    if (this.#last) this.#last.after = place;
    else this.#first = place;
    this.#last = place;
    this.#size += 1;
    return place;
  }

  /** Before all others. */
  addFirst(value: Value): Place<Value> {
    const place: Standing<Value> = { value, line: this, before: undefined, after: this.#first };
    if (this.#first) this.#first.before = place;
    else this.#last = place;
    this.#first = place;
    this.#size += 1;
    return place;
  }

  /** Whether somebody stood there. */
  leave(place: Place<Value> | undefined): boolean {
    const standing = place as Standing<Value> | undefined;
    if (standing?.line !== this) return false;
    const { before, after } = standing;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    standing.line = undefined;
    this.#size -= 1;
    return true;
  }

  /** The first leaves. */
  next(): Value | undefined {
    const first = this.#first;
    this.leave(first);
    return first?.value;
  }
}
