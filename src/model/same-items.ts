/**
 * Which items of an array are those of another, item by item: what makes a fold of a long list cost little more than its reducer.
 *
 * V8 reads an item of a frozen array six times slower than one of an array that isn't. So a frozen array is compared by its twin,
 * which has the same items and isn't frozen.
 */
/** Twins that are kept: a state has few long lists. */
const TWINS_MAX = 8;

/** The twins of the arrays that were made last, for the length of one fold. */
export class Twins {
  // Not a map: it would be the dearest part of a step.
  readonly #arrays: (readonly unknown[] | undefined)[] = [];
  readonly #twins: (unknown[] | undefined)[] = [];
  #next = 0;

  /** The twin of a frozen array of ours, to be changed. */
  take(array: readonly unknown[]): unknown[] {
    const place = this.#arrays.indexOf(array);
    const twin = this.#twins[place];
    if (twin === undefined) return [...array];
    this.#next = place;
    this.#arrays[place] = undefined;
    this.#twins[place] = undefined;
    return twin;
  }

  /** Keeps it where the one that was taken last was, or in place of the oldest. */
  keep(array: readonly unknown[], twin: unknown[]): void {
    this.#arrays[this.#next] = array;
    this.#twins[this.#next] = twin;
    this.#next = (this.#next + 1) % TWINS_MAX;
  }
}

/** How many items after `from` and `at` are the same. Zeros of different signs differ. */
export function sameItems(items: readonly unknown[], from: number, old: readonly unknown[], at: number): number {
  const most = Math.min(items.length - from, old.length - at);
  let count = 0;
  // Not ===, which looks into both items before it compares them: what is far apart in memory costs twice as much.
  while (count < most && Object.is(items[from + count], old[at + count])) count += 1;
  return count;
}

/** How many items at the ends are the same, of those after the first `start`. */
export function sameAtEnd(items: readonly unknown[], old: readonly unknown[], start: number): number {
  const most = Math.min(items.length, old.length) - start;
  let count = 0;
  while (count < most && Object.is(items[items.length - 1 - count], old[old.length - 1 - count])) count += 1;
  return count;
}

const ITERATOR = Array.prototype[Symbol.iterator];

/** The items of an array, each read once. */
export function itemsOf(array: readonly unknown[]): unknown[] {
  // As native code does it, unless the array has an iterator of its own.
  if (array[Symbol.iterator] === ITERATOR) return [...array];
  return Array.from({ length: array.length }, (_, index) => array[index]);
}

/** Shorter arrays are copied in less time than it takes to look at them. */
const LONG = 2_000;

/** Whether an array takes longer to copy than to look at: then it may be frozen where it stands. */
export function isLong(array: readonly unknown[]): boolean {
  return array.length >= LONG;
}

/** The twin of an array that has become another, with as many items the same at its start; or a new twin. */
export function turnedInto(twin: unknown[], items: readonly unknown[], same: number): unknown[] {
  if (same < items.length / 2) return [...items];
  // To set the same length again takes time: V8 clears the room behind it.
  if (twin.length > same) twin.length = same;
  for (let index = same; index < items.length; index += 1) twin.push(items[index]);
  return twin;
}
