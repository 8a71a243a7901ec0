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
  switch (filter.kind) {
    case 'not': {
      const isInner = matcherOf(filter.filter);
      return (document) => !isInner(document);
    }
    case 'all': {
      const all = filter.filters.map(matcherOf);
      return (document) => all.every((matches) => matches(document));
    }
    case 'any': {
      const any = filter.filters.map(matcherOf);
      return (document) => any.some((matches) => matches(document));
    }
    default: {
      const read = readerOf(filter.path);
      const holds = testerOf(filter);
      return (document) => holds(read(document));
    }
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
