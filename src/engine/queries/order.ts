/** The order that is asked for. */
import { InvalidInput } from '../../errors.ts';
import { isPlainArray, isPlainObject } from '../../realm.ts';
import { ORDER_FIELDS_MAX } from './bounds.ts';
import { readerOf, type Candidate, type Reader } from './matcher.ts';
import { compareTexts, compareValues } from './value-order.ts';
import { assertPath } from './where.ts';
import type { Direction } from './where-types.ts';

export interface OrderField {
  readonly path: string;
  readonly direction: Direction;
}

export interface Order {
  readonly fields: readonly OrderField[];
  /** Of `$id`, by which ties are ordered: that of the last field. */
  readonly ties: Direction;
}

/** A document's place in an order: the values it is ordered by, and its id. */
export interface Place {
  readonly values: readonly unknown[];
  readonly id: string;
}

/**
 * Reads a caller's `orderBy` once.
 *
 * @param named takes in each path, and where it was named first
 * @throws InvalidInput
 */
export function orderOf(given: unknown, named = new Map<string, string>()): Order {
  if (given === undefined) return { fields: [], ties: 'asc' };
  if (!Array.isArray(given) || !isPlainArray(given)) return wrong('must be an array: [{ price: "asc" }]');
  if (given.length > ORDER_FIELDS_MAX) wrong(`has ${given.length} fields; at most ${ORDER_FIELDS_MAX} are possible`);
  const fields = Array.from(given as readonly unknown[], (one, index): OrderField => {
    const at = `orderBy[${index}]`;
    if (typeof one !== 'object' || one === null || !isPlainObject(one))
      return wrong('must be an object with one field: { price: "asc" }', at);
    const [path, ...more] = Object.keys(one);
    if (path === undefined || more.length > 0)
      return wrong('must have one field: the order of several is that of the array', at);
    assertPath(path, `${at}.${path}`);
    if (!named.has(path)) named.set(path, `${at}.${path}`);
    const direction = (one as Record<string, unknown>)[path];
    if (direction !== 'asc' && direction !== 'desc') return wrong('must be "asc" or "desc"', `${at}.${path}`);
    return { path, direction };
  });
  const twice = fields.findIndex(({ path }, index) => fields.findIndex((one) => one.path === path) !== index);
  if (twice >= 0) wrong('has a field that is there before', `orderBy[${twice}]`);
  // No two documents have the same id: what comes after it says nothing.
  const byId = fields.findIndex(({ path }) => path === '$id');
  if (byId >= 0) return { fields: fields.slice(0, byId), ties: fields[byId]!.direction };
  return { fields, ties: fields.at(-1)?.direction ?? 'asc' };
}

function wrong(problem: string, path = 'orderBy'): never {
  throw new InvalidInput(`${path} ${problem}.`, { path });
}

/** What gives a document's place. */
export function placer({ fields }: Order): (document: Candidate) => Place {
  const readers: readonly Reader[] = fields.map(({ path }) => readerOf(path));
  return (document) => ({ values: readers.map((read) => read(document)), id: document.id });
}

/** Below 0, 0 or above: which of two places comes first. 0 only for the same document. */
export function comparer({ fields, ties }: Order): (one: Place, other: Place) => number {
  const signs = fields.map(({ direction }) => (direction === 'asc' ? 1 : -1));
  const sign = ties === 'asc' ? 1 : -1;
  return (one, other) => {
    for (let at = 0; at < signs.length; at += 1) {
      const difference = compareValues(one.values[at], other.values[at]);
      if (difference !== 0) return difference * signs[at]!;
    }
    return compareTexts(one.id, other.id) * sign;
  };
}
