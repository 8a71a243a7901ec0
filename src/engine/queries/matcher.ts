/**
 * The matcher: whether a document is what was asked for. It has the last word; an index only says which documents it looks at.
 */
import { valueAt } from './path.ts';
import { compareTexts } from './value-order.ts';
import { FACTS, type Filter, type Scalar, type Test } from './where.ts';

/** A document as queries look at it. */
export interface Candidate {
  readonly id: string;
  readonly version: number;
  readonly changed: number;
  /** As `JSON.parse` made it. */
  readonly state: unknown;
}

export type Matcher = (document: Candidate) => boolean;

/** What is at a path of documents; `undefined` is missing. */
export type Reader = (document: Candidate) => unknown;

export function readerOf(path: string): Reader {
  if (Object.hasOwn(FACTS, path)) {
    const fact = path.slice(1) as 'id' | 'version' | 'changed';
    return (document) => document[fact];
  }
  const parts = path.split('.');
  return ({ state }) => valueAt(state, parts);
}

export function matcherOf(filter: Filter): Matcher {
  return compiled(filter, itemsAskedBy(filter));
}

function compiled(filter: Filter, asked: ReadonlyMap<string, ItemsAsked>): Matcher {
  switch (filter.kind) {
    case 'not': {
      const isInner = compiled(filter.filter, asked);
      return (document) => !isInner(document);
    }
    case 'all': {
      const all = filter.filters.map((one) => compiled(one, asked));
      return (document) => all.every((matches) => matches(document));
    }
    case 'any': {
      const any = filter.filters.map((one) => compiled(one, asked));
      return (document) => any.some((matches) => matches(document));
    }
    default: {
      const read = readerOf(filter.path);
      const items = asked.get(filter.path);
      const holds = filter.kind === 'has' && items ? items.tester(filter.value) : testerOf(filter);
      return (document) => holds(read(document));
    }
  }
}

/** By path, where several items of one array are asked for: each array is gone through once, however many they are. */
function itemsAskedBy(filter: Filter): ReadonlyMap<string, ItemsAsked> {
  const values = new Map<string, Set<Scalar>>();
  const add = (one: Filter): void => {
    if (one.kind === 'not') add(one.filter);
    else if (one.kind === 'all' || one.kind === 'any') for (const inner of one.filters) add(inner);
    else if (one.kind === 'has') values.set(one.path, (values.get(one.path) ?? new Set()).add(one.value));
  };
  add(filter);
  return new Map([...values].flatMap(([path, all]) => (all.size > 1 ? [[path, new ItemsAsked(all)]] : [])));
}

class ItemsAsked {
  readonly #asked: ReadonlySet<unknown>;
  /** Which of the values each array has. Arrays are looked at once for all tests of a query, and then forgotten. */
  readonly #found = new WeakMap<readonly unknown[], ReadonlySet<unknown>>();

  constructor(asked: ReadonlySet<unknown>) {
    this.#asked = asked;
  }

  tester(value: unknown): (array: unknown) => boolean {
    return (array) => Array.isArray(array) && this.#foundIn(array as readonly unknown[]).has(value);
  }

  #foundIn(array: readonly unknown[]): ReadonlySet<unknown> {
    let found = this.#found.get(array);
    if (!found) this.#found.set(array, (found = this.#lookIn(array)));
    return found;
  }

  #lookIn(array: readonly unknown[]): ReadonlySet<unknown> {
    const found = new Set<unknown>();
    for (const item of array) {
      if (!this.#asked.has(item)) continue;
      found.add(item);
      if (found.size === this.#asked.size) break;
    }
    return found;
  }
}

function testerOf(test: Test): (value: unknown) => boolean {
  switch (test.kind) {
    case 'eq':
      return (value) => value === test.value;
    case 'ne':
      return (value) => value !== test.value;
    case 'in': {
      const values = new Set<unknown>(test.values);
      return (value) => values.has(value);
    }
    case 'has':
      return (value) => Array.isArray(value) && (value as readonly unknown[]).includes(test.value);
    case 'exists':
      return (value) => (value !== undefined) === test.value;
    case 'startsWith':
      return (value) => typeof value === 'string' && value.startsWith(test.value);
    case 'lt':
      return comparing(test.value, (difference) => difference < 0);
    case 'lte':
      return comparing(test.value, (difference) => difference <= 0);
    case 'gt':
      return comparing(test.value, (difference) => difference > 0);
    case 'gte':
      return comparing(test.value, (difference) => difference >= 0);
  }
}

/** Only values of the same type are compared. */
function comparing(operand: Scalar, holds: (difference: number) => boolean): (value: unknown) => boolean {
  if (typeof operand === 'number') return (value) => typeof value === 'number' && holds(value - operand);
  return (value) => typeof value === 'string' && holds(compareTexts(value, operand as string));
}
