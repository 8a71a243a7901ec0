/**
 * Which documents a query looks at, and in which order: those of an index, or all by their ids. What a plan leaves out is never
 * wanted; what it looks at is matched once more.
 */
import { Buffer } from 'node:buffer';
import type { Order, Place } from './order.ts';
import {
  ALL_IDS,
  after,
  everything,
  idRangeOf,
  intersection,
  isEmpty,
  rangeOf,
  withValue,
  type Range,
} from './ranges.ts';
import { keyOf, type IndexFields } from './sort-key.ts';
import { neededBy, type Filter, type Scalar, type Test } from './where.ts';

export interface Plan {
  /** Without it, the order of ids. */
  readonly index: IndexFields | undefined;
  /** Each after the one before, in the order of keys. */
  readonly ranges: readonly Range[];
  readonly reverse: boolean;
  /** Whether documents come in the order that is asked for. */
  readonly isOrdered: boolean;
  /** Whether an index, or the order of ids, leaves documents out, or all are asked for in its order. */
  readonly isServed: boolean;
  /** The key of a place, if documents come in the order that is asked for. */
  key(place: Place): Buffer;
}

/** More values of one `in` are looked for between the first and the last. */
const IN_RANGES_MAX = 50;

/** @param order undefined where any order will do */
export function planOf(filter: Filter, order: Order | undefined, indexes: readonly IndexFields[]): Plan {
  const tests = neededBy(filter);
  const isWhole = filter.kind === 'all' && filter.filters.length === 0;
  let best: Way = byIds(tests, order);
  for (const index of indexes) {
    const way = byIndex(index, tests, order);
    if (way.worth > best.worth) best = way;
  }
  const { isOrdered, narrows } = best;
  return {
    ...best,
    ranges: best.ranges.filter((range) => !isEmpty(range)),
    reverse: isOrdered && order?.ties === 'desc',
    isServed: narrows || (isWhole && isOrdered),
  };
}

/** Leaves out what comes before a place, and the place itself. */
export function rangesAfter({ ranges, reverse, key }: Plan, place: Place): readonly Range[] {
  const at = key(place);
  const rest: Range = reverse
    ? { from: Buffer.alloc(0), below: at }
    : { from: after(at), below: ranges.at(-1)?.below ?? at };
  return ranges.map((range) => intersection(range, rest)).filter((range) => !isEmpty(range));
}

interface Way extends Pick<Plan, 'index' | 'ranges' | 'isOrdered' | 'key'> {
  readonly narrows: boolean;
  readonly worth: number;
}

// What a way is worth: an equal value most, then few values, then a bound, then the order.
const DIRECT = 1_000;
const EQUAL = 8;
const FEW = 4;
const BOUND = 2;
const ORDERED = 1;

function byIds(tests: readonly Test[], order: Order | undefined): Way {
  const fixed = fixedBy(tests);
  const named = tests.filter(({ path }) => path === '$id');
  const narrowed = narrow(named, ALL_IDS, idRangeOf, (id) => idRangeOf({ kind: 'eq', path: '$id', value: id })!);
  const isDirect = named.some(({ kind }) => kind === 'eq' || kind === 'in');
  return {
    index: undefined,
    ranges: narrowed.ranges,
    isOrdered: order === undefined || order.fields.every(({ path }) => fixed.has(path)),
    narrows: narrowed.worth > 0,
    worth: isDirect ? DIRECT : narrowed.worth,
    key: ({ id }) => Buffer.from(id),
  };
}

function byIndex(index: IndexFields, tests: readonly Test[], order: Order | undefined): Way {
  const { fields } = index;
  const fixed = fixedBy(tests);
  let prefix: Buffer = Buffer.alloc(0);
  let equal = 0;
  for (; equal < fields.length && fixed.has(fields[equal]!); equal += 1)
    prefix = withValue(prefix, fixed.get(fields[equal]!));
  const next = fields[equal];
  const { ranges, worth } = narrow(
    tests.filter(({ path }) => path === next),
    everything(prefix),
    (test) => rangeOf(test, prefix),
    (value) => everything(withValue(prefix, value)),
  );
  const isOrdered = order === undefined || isOrderOf(fields, order, fixed);
  const found = equal * EQUAL + worth;
  return {
    index,
    ranges,
    isOrdered,
    narrows: found > 0,
    worth: found + (order !== undefined && isOrdered ? ORDERED : 0),
    key: ({ values, id }) => {
      const valueOf = (field: string): unknown =>
        fixed.has(field) ? fixed.get(field) : values[order!.fields.findIndex(({ path }) => path === field)];
      return keyOf(fields.map(valueOf), id);
    },
  };
}

/** The values that fields must have. */
function fixedBy(tests: readonly Test[]): ReadonlyMap<string, Scalar> {
  const fixed = new Map<string, Scalar>();
  for (const test of tests) if (test.kind === 'eq') fixed.set(test.path, test.value);
  return fixed;
}

/** The ranges that all tests of one field leave, and what that is worth. */
function narrow(
  tests: readonly Test[],
  all: Range,
  rangeOfTest: (test: Test) => Range | undefined,
  rangeOfValue: (value: Scalar) => Range,
): { readonly ranges: readonly Range[]; readonly worth: number } {
  let range = all;
  let ranges: readonly Range[] | undefined;
  let worth = 0;
  for (const test of tests) {
    if (test.kind === 'in') {
      ranges ??= rangesOf(test.values, rangeOfValue);
      worth += FEW;
      continue;
    }
    const found = rangeOfTest(test);
    if (!found) continue;
    range = intersection(range, found);
    worth += test.kind === 'eq' || test.kind === 'startsWith' ? FEW : BOUND;
  }
  return { ranges: ranges?.map((one) => intersection(one, range)) ?? [range], worth: Math.min(worth, FEW) };
}

function rangesOf(values: readonly Scalar[], rangeOfValue: (value: Scalar) => Range): readonly Range[] {
  const ranges = values.map(rangeOfValue).sort((one, other) => Buffer.compare(one.from, other.from));
  // Long texts that begin alike have the same range, as have equal values.
  const each = ranges.filter(({ from }, index) => index === 0 || Buffer.compare(from, ranges[index - 1]!.from) !== 0);
  if (each.length <= IN_RANGES_MAX) return each;
  return [{ from: each[0]!.from, below: each.at(-1)!.below }];
}

/**
 * Whether documents that have the fixed values come in this order, or in its reverse: each field of the index is fixed or next
 * in the order, and nothing of the order is left.
 */
function isOrderOf(fields: readonly string[], order: Order, fixed: ReadonlyMap<string, Scalar>): boolean {
  const left = order.fields.filter(({ path }) => !fixed.has(path));
  if (left.some(({ direction }) => direction !== order.ties)) return false;
  const free = fields.filter((field) => !fixed.has(field));
  return free.length === left.length && free.every((field, index) => left[index]!.path === field);
}
