/**
 * Sort keys: the bytes that index entries are kept by. Stores compare them byte by byte, so all answer in the same order.
 *
 *     key      = value* id                      the values of the index's fields, in order; the document's id in UTF-8
 *     value    = 01 missing | 02 null | 03 false | 04 true | 05 number | 06 text 00 | 07 array or object
 *     number   = 8 bytes: IEEE 754 double, big endian; the sign bit flipped, or all bits of a negative number
 *     text     = UTF-8, at most 256 bytes, cut also within a character; a NUL as 00 ff
 *
 * 1. The order of keys is the order of values (value-order.ts), then of ids: kinds are in their order, and an ended text (00)
 *    comes before a longer one, as what follows the end is below ff.
 * 2. No two documents have the same key in an index: an id has no NUL and can't be a kind.
 * 3. A key of 6 fields has at most 6 × 258 + 512 = 2,060 bytes: it fits the 2,704 of PostgreSQL's index rows.
 * 4. What begins with some values is from these bytes (inclusive) to these bytes with ff after them (exclusive).
 *
 * Entries are stored: a change of this format needs a new index for each old one.
 */
import { Buffer } from 'node:buffer';
import type { IndexEntry, IndexKey } from '../../store/store.ts';
import { ORDER_BYTES_MAX } from './bounds.ts';
import { valueAt } from './path.ts';
import { beginningOf, FALSE, MISSING, NULL, NUMBER, PART, TEXT, TRUE } from './value-order.ts';

/** An index over the documents of a set: its number, and at most six paths of the state. */
export interface IndexFields {
  readonly number: number;
  readonly fields: readonly string[];
}

// The key under way: one is made at a time, without a call of the user's code.
const scratch = Buffer.alloc(8_192);
const numbers = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
let at = 0;

/** The bytes of values: the beginning of a key. */
export function keyOf(values: readonly unknown[], id?: string): Buffer {
  at = 0;
  for (const value of values) put(value);
  if (id !== undefined) putText(id);
  return written();
}

function written(): Buffer {
  const key = Buffer.allocUnsafe(at);
  scratch.copy(key, 0, 0, at);
  return key;
}

function put(value: unknown): void {
  switch (typeof value) {
    case 'number':
      scratch[at] = NUMBER;
      putNumber(value, at + 1);
      at += 9;
      return;
    case 'string':
      scratch[at++] = TEXT;
      putBeginning(value);
      scratch[at++] = 0;
      return;
    case 'boolean':
      scratch[at++] = value ? TRUE : FALSE;
      return;
    case 'undefined':
      scratch[at++] = MISSING;
      return;
    default:
      scratch[at++] = value === null ? NULL : PART;
  }
}

function putNumber(value: number, start: number): void {
  // Adding 0 makes 0 of -0.
  numbers.setFloat64(start, value + 0);
  if (scratch[start]! < 0x80) scratch[start]! ^= 0x80;
  else for (let index = start; index < start + 8; index += 1) scratch[index]! ^= 0xff;
}

function putBeginning(text: string): void {
  if (text.length <= SHORT && putShort(text)) return;
  const start = at;
  const bytes = scratch.write(text.length <= ORDER_BYTES_MAX ? text : text.slice(0, ORDER_BYTES_MAX + 1), start);
  at = start + Math.min(bytes, ORDER_BYTES_MAX);
  if (!scratch.subarray(start, at).includes(0)) return;
  at = start + beginningOf(text).copy(scratch, start);
}

/** Up to this length writing byte by byte is faster than the call of a native function. */
const SHORT = 24;

/** Writes a text of ASCII without NUL. False if it isn't one. */
function putShort(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit === 0 || unit > 0x7f) return false;
    scratch[at + index] = unit;
  }
  at += text.length;
  return true;
}

function putText(text: string): void {
  if (text.length > SHORT || !putShort(text)) at += scratch.write(text, at);
}

/** The paths of each index, split once. */
const split = new WeakMap<readonly string[], readonly (readonly string[])[]>();

function partsOf(fields: readonly string[]): readonly (readonly string[])[] {
  let parts = split.get(fields);
  if (!parts) split.set(fields, (parts = fields.map((field) => field.split('.'))));
  return parts;
}

/** The key of a document in an index. */
export function indexKey(fields: readonly string[], id: string, state: unknown): Buffer {
  const parts = partsOf(fields);
  at = 0;
  for (const path of parts) {
    put(path.length === 1 ? fieldOf(state, path[0]!) : valueAt(state, path));
  }
  putText(id);
  return written();
}

function fieldOf(state: unknown, name: string): unknown {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return undefined;
  const value = (state as Record<string, unknown>)[name];
  // Asked last: most fields are there.
  return value !== undefined && Object.hasOwn(state, name) ? value : undefined;
}

/**
 * The entries of a document in each index of its set.
 *
 * @param state undefined for a document without entries: it doesn't exist, or it couldn't be folded
 */
export function entriesOf(indexes: readonly IndexFields[], id: string, state: unknown): IndexEntry[] {
  if (state === undefined) return [];
  return indexes.map(({ number, fields }) => ({ index: number, key: indexKey(fields, id, state), id }));
}

/** Which entries go and which come when the state of a document becomes another; those that stay are in neither. */
export function movedEntries(
  indexes: readonly IndexFields[],
  id: string,
  before: unknown,
  after: unknown,
): { readonly dropped: readonly IndexKey[]; readonly added: readonly IndexEntry[] } {
  const dropped: IndexKey[] = [];
  const added: IndexEntry[] = [];
  if (before === after) return { dropped, added };
  for (const { number, fields } of indexes) {
    const old = before === undefined ? undefined : indexKey(fields, id, before);
    const key = after === undefined ? undefined : indexKey(fields, id, after);
    if (old !== undefined && key !== undefined && old.equals(key)) continue;
    if (old !== undefined) dropped.push({ index: number, key: old });
    if (key !== undefined) added.push({ index: number, key, id });
  }
  return { dropped, added };
}
