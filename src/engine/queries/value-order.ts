/**
 * The one order of values: missing, null, false, true, numbers, strings by their first 256 bytes of UTF-8; arrays and objects
 * last, and equal.
 */
import { Buffer } from 'node:buffer';
import { ORDER_BYTES_MAX } from './bounds.ts';

/** The kinds of values, in their order. None is 0 or 255, which keys use for something else. */
export const MISSING = 1;
export const NULL = 2;
export const FALSE = 3;
export const TRUE = 4;
export const NUMBER = 5;
export const TEXT = 6;
export const PART = 7;

export function kindOf(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return NUMBER;
    case 'string':
      return TEXT;
    case 'boolean':
      return value ? TRUE : FALSE;
    case 'undefined':
      return MISSING;
    default:
      return value === null ? NULL : PART;
  }
}

/** Below 0, 0 or above: how two values of states are ordered. */
export function compareValues(one: unknown, other: unknown): number {
  const kind = kindOf(one);
  const difference = kind - kindOf(other);
  if (difference !== 0) return difference;
  if (kind === NUMBER) return (one as number) - (other as number);
  return kind === TEXT ? compareBeginnings(one as string, other as string) : 0;
}

/** Texts by all of their UTF-8 bytes. */
export function compareTexts(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const unit = one.charCodeAt(at);
    const against = other.charCodeAt(at);
    if (unit === against) continue;
    // Above, the order of UTF-16 isn't that of UTF-8.
    if (unit < FIRST_SURROGATE && against < FIRST_SURROGATE) return unit - against;
    const isWithin = at > 0 && isHigh(one.charCodeAt(at - 1));
    const difference = (isWithin ? comparePoints(one, other, at - 1) : 0) || comparePoints(one, other, at);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}

/** By the code points that begin there. In UTF-8 half of a pair alone is U+FFFD. */
function comparePoints(one: string, other: string, at: number): number {
  return pointAt(one, at) - pointAt(other, at);
}

function pointAt(text: string, at: number): number {
  const point = text.codePointAt(at)!;
  return point >= FIRST_SURROGATE && point <= LAST_SURROGATE ? REPLACEMENT : point;
}

const FIRST_SURROGATE = 0xd800;
const LAST_HIGH = 0xdbff;
const LAST_SURROGATE = 0xdfff;
const REPLACEMENT = 0xfffd;

function isHigh(unit: number): boolean {
  return unit >= FIRST_SURROGATE && unit <= LAST_HIGH;
}
/** UTF-8 needs at most so many bytes for each UTF-16 code unit. */
const BYTES_A_UNIT = 3;

function compareBeginnings(one: string, other: string): number {
  if (Math.max(one.length, other.length) * BYTES_A_UNIT < ORDER_BYTES_MAX) return compareTexts(one, other);
  return Buffer.compare(beginningOf(one), beginningOf(other));
}

/**
 * The bytes of a text that its order is made of: the first 256, also within a character. A NUL counts as two bytes, which
 * both fit or neither: so keys write it.
 */
export function beginningOf(text: string): Buffer {
  // Some units more: the last one may be half of a character.
  let bytes: Buffer = Buffer.from(text.slice(0, ORDER_BYTES_MAX + 1));
  if (bytes.includes(0))
    bytes = Buffer.from(Array.from(bytes).flatMap((byte) => (byte === 0 ? [0, NUL_MARK] : [byte])));
  if (bytes.length <= ORDER_BYTES_MAX) return bytes;
  return bytes.subarray(0, bytes[ORDER_BYTES_MAX - 1] === 0 ? ORDER_BYTES_MAX - 1 : ORDER_BYTES_MAX);
}

/** Follows a NUL of a text: no kind, and no byte of UTF-8. */
export const NUL_MARK = 0xff;
