/** Byte ranges: where in an index the documents are that a test finds. They may hold others, and leave out none. */
import { Buffer } from 'node:buffer';
import { ORDER_BYTES_MAX } from './bounds.ts';
import { keyOf } from './sort-key.ts';
import { beginningOf, MISSING, NULL, NUMBER, PART, TEXT } from './value-order.ts';
import type { Test } from './where.ts';

/** From a key (inclusive) to below another. */
export interface Range {
  readonly from: Buffer;
  readonly below: Buffer;
}

/** Above all keys that begin with these bytes: no byte within a key that follows them is ff, but that of a NUL. */
const TOP = Buffer.from([0xff]);
/** Ids have no NUL: what comes right after a whole key. */
const NEXT = Buffer.from([0x00]);

export function everything(prefix: Buffer): Range {
  return { from: prefix, below: above(prefix) };
}

export const above = (prefix: Uint8Array): Buffer => Buffer.concat([prefix, TOP]);
export const after = (key: Uint8Array): Buffer => Buffer.concat([key, NEXT]);

export function isEmpty({ from, below }: Range): boolean {
  return Buffer.compare(from, below) >= 0;
}

export function intersection(one: Range, other: Range): Range {
  return {
    from: Buffer.compare(one.from, other.from) >= 0 ? one.from : other.from,
    below: Buffer.compare(one.below, other.below) <= 0 ? one.below : other.below,
  };
}

/** Where the value of a field is that a test finds, in an index after some values; undefined if that may be anywhere. */
export function rangeOf(test: Test, prefix: Buffer): Range | undefined {
  const kind = (one: number): Buffer => Buffer.concat([prefix, Buffer.from([one])]);
  switch (test.kind) {
    case 'eq':
      return everything(withValue(prefix, test.value));
    case 'exists':
      return test.value ? { from: kind(NULL), below: kind(PART + 1) } : { from: kind(MISSING), below: kind(NULL) };
    case 'startsWith':
      return everything(Buffer.concat([kind(TEXT), beginningOf(test.value)]));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return compared(test, prefix, kind);
    default:
      return undefined;
  }
}

export function withValue(prefix: Buffer, value: unknown): Buffer {
  return Buffer.concat([prefix, keyOf([value])]);
}

type Comparison = Extract<Test, { value: number | string; kind: 'lt' | 'lte' | 'gt' | 'gte' }>;

function compared({ kind: how, value }: Comparison, prefix: Buffer, kind: (one: number) => Buffer): Range {
  const type = typeof value === 'number' ? NUMBER : TEXT;
  const at = withValue(prefix, value);
  // A long text has the same key as others that begin like it: they are looked at too.
  const isExact = typeof value === 'number' || Buffer.byteLength(value) < ORDER_BYTES_MAX - 1;
  if (how === 'lt' || how === 'lte') return { from: kind(type), below: how === 'lt' && isExact ? at : above(at) };
  return { from: how === 'gt' && isExact ? above(at) : at, below: kind(type + 1) };
}

/** In the order of ids, where a key is the id's bytes; undefined if that may be anywhere. */
export function idRangeOf(test: Test): Range | undefined {
  const id = 'value' in test && typeof test.value === 'string' ? Buffer.from(test.value) : Buffer.alloc(0);
  switch (test.kind) {
    case 'eq':
      return { from: id, below: after(id) };
    case 'startsWith':
      return everything(id);
    case 'lt':
      return { from: Buffer.alloc(0), below: id };
    case 'lte':
      return { from: Buffer.alloc(0), below: after(id) };
    case 'gt':
      return { from: after(id), below: TOP };
    case 'gte':
      return { from: id, below: TOP };
    default:
      return undefined;
  }
}

export const ALL_IDS: Range = { from: Buffer.alloc(0), below: TOP };
