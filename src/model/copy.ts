/**
 * Copies of plain values, checked part by part; and copies that share what they can with the copy before.
 *
 * A state is copied after each event, so that nobody outside holds a part of it and it is the same whenever it is folded again.
 * Most of it is what it was: such parts are known by being the same object as in the state before, which was made here. They are
 * neither looked at nor copied, however large. What costs the state's size is only what the reducer itself has copied: an array
 * is compared item by item with the one before it.
 */
import { isPlainArray, isPlainObject } from '../realm.ts';
import { isBareArray } from './bare-array.ts';
import { thrown } from './foreign.ts';
import { at, here, textFault, type Fault } from './fault.ts';
import { isLong, itemsOf, sameAtEnd, sameItems, turnedInto, type Twins } from './same-items.ts';

/** The deepest nesting that is allowed; it also stops at a cycle. */
export const JSON_DEPTH_MAX = 100;

/** The most parts that a value may have: shared parts count each time, as JSON would write them. */
const JSON_PARTS_MAX = 4_000_000;

/**
 * Bytes of a state, and of all that has no narrower limit: numbers of one digit take eight times as many in memory. Shared
 * parts count each time, so a value of megabytes can't become a copy of gigabytes.
 */
export const JSON_BYTES_MAX = 128 * 1024 * 1024;

/** A copy and its size, or why there is none. */
export type Copied =
  | {
      readonly copy: unknown;
      /** The least bytes that JSON needs for it: characters and numbers count one. */
      readonly bytes: number;
    }
  | {
      readonly fault: Fault;
      /** Whether it is larger than allowed. */
      readonly over: boolean;
    };

/** A part's own size. */
interface Size {
  readonly levels: number;
  readonly parts: number;
  /** As JSON, without the comma before it. */
  readonly bytes: number;
  /** Of an object that has many fields, their number; otherwise 0. */
  readonly fields: number;
  /** Whether the levels may be fewer: its deepest part may have gone. */
  readonly loose: boolean;
}

/**
 * The sizes of parts that were made here: of those that came again, and of those with many items. (Remembering every new part
 * costs more than a second copy.) No other frozen value is trusted: only its surface may be frozen.
 */
const kept = new WeakMap<object, Size>();

/** What is smaller is measured again each time. */
const KEPT_BYTES_MIN = 200;
/** From so many items on, only the difference to the part before is counted. */
const MANY = 64;
/** So few items are checked and set in an array that stays. */
const ADDED_MAX = 64;
/** How often an item is looked for among all those before. */
const SEARCHES_MAX = 16;

// The copy under way: whether it keeps parts, and shares them with earlier copies; its parts and bytes so far, the bytes allowed, and
// the deepest level of the current part; whether one of these may be too high; and the fault that ends it, whose path is completed on
// the way out.
let keeping = false;
let sharing = false;
let twins: Twins | undefined;
let parts = 0;
let bytes = 0;
let bytesMax = 0;
let deepest = 0;
let loose = false;
let fault: Fault | undefined;

/**
 * A copy of a plain value, as `JSON.parse(JSON.stringify(value))` makes it (undefined fields dropped, -0 becomes 0), or why
 * the value isn't plain. Each part is read once, so what was checked is what was copied, also with getters. It ends as soon as
 * JSON is certain to need more than `max` bytes: see {@link Copied}.
 */
export function plainCopy(value: unknown, max = JSON_BYTES_MAX): Copied {
  return copied(value, undefined, { keep: false, share: false, max });
}

/**
 * A frozen copy as by {@link plainCopy}, which shares parts with earlier copies: a state of which one field changed costs that
 * field. Any text is allowed: it is in no event.
 *
 * `before` is an earlier copy, or what `freezePlain` froze: the parts that the value has of it are trusted. `lists` makes long
 * arrays cheaper where copies are made one after the other.
 */
export function keptCopy(value: unknown, before?: unknown, lists?: Twins): Copied {
  const shared = copied(value, before, { keep: true, share: true, max: JSON_BYTES_MAX, lists });
  // A limit may have seemed to be passed that isn't.
  if ('fault' in shared && shared.loose)
    return copied(value, undefined, { keep: true, share: false, max: JSON_BYTES_MAX });
  return shared;
}

/** Why a value isn't plain JSON; undefined if it is. Undefined fields count as absent. */
export function jsonFault(value: unknown): Fault | undefined {
  const made = plainCopy(value);
  return 'fault' in made ? made.fault : undefined;
}

interface Manner {
  readonly keep: boolean;
  readonly share: boolean;
  readonly max: number;
  readonly lists?: Twins | undefined;
}

function copied(
  value: unknown,
  before: unknown,
  { keep, share, max, lists }: Manner,
): Extract<Copied, { copy: unknown }> | (Extract<Copied, { fault: Fault }> & { readonly loose: boolean }) {
  // Reading may run code that copies something else.
  const outer = { keeping, sharing, twins, parts, bytes, bytesMax, deepest, loose };
  keeping = keep;
  sharing = share;
  twins = lists;
  parts = 0;
  // One less than nothing: each value counts a comma, and there is one comma fewer than values.
  bytes = -1;
  bytesMax = max;
  deepest = 0;
  loose = false;
  fault = undefined;
  try {
    const copy = copyOf(value, before, 0);
    return fault === undefined ? { copy, bytes } : { fault, over: bytes > max, loose };
  } catch (cause) {
    return { fault: here(`reading it threw ${thrown(cause)}`), over: false, loose: false };
  } finally {
    ({ keeping, sharing, twins, parts, bytes, bytesMax, deepest, loose } = outer);
  }
}

function copyOf(value: unknown, before: unknown, depth: number): unknown {
  if (typeof value === 'object' && value !== null) return partCopy(value, before, depth);
  bytes += scalarBytes(value);
  fault = scalarFault(value) ?? (bytes > bytesMax ? here(tooLarge()) : undefined);
  // Adding 0 makes 0 of -0.
  return typeof value === 'number' ? value + 0 : value;
}

function partCopy(value: object, before: unknown, depth: number): unknown {
  // The comma before it.
  bytes += 1;
  const deepestBefore = deepest;
  const partsBefore = parts;
  const bytesBefore = bytes;
  const known = sharing ? (kept.get(value) ?? (value === before ? remembered(value) : undefined)) : undefined;
  let copy: object | undefined = value;
  if (known !== undefined) {
    count(known, depth);
    fault = sizeFault(0);
  } else {
    fault = partFault(value);
    if (fault !== undefined) return undefined;
    const again = sharing && Object.isFrozen(value);
    copy = Array.isArray(value) ? arrayCopy(value, before, depth) : objectCopy(value, before, depth);
    if (again && copy !== undefined && !kept.has(copy)) kept.set(copy, sizeSince(partsBefore, bytesBefore, depth, 0));
  }
  if (fault !== undefined) return undefined;
  if (deepestBefore > deepest) deepest = deepestBefore;
  return copy;
}

/** Counts a part of this size as the current one. */
function count(size: Size, depth: number): void {
  deepest = depth + size.levels;
  parts += size.parts;
  bytes += size.bytes;
  if (size.loose) loose = true;
}

function arrayCopy(array: unknown[], before: unknown, depth: number): object | undefined {
  const old = sharing && Array.isArray(before) ? (before as readonly unknown[]) : undefined;
  if (old && old.length >= MANY && array.length <= old.length * 2 && array.length * 2 >= old.length) {
    return listCopy(array, old, depth);
  }
  count(EMPTY, depth);
  // What is far too large is refused before it is walked.
  fault = sizeFault(array.length * ITEM_BYTES_MIN);
  if (fault !== undefined) return undefined;
  const copy: unknown[] = [];
  for (let index = 0; index < array.length; index += 1) {
    copy.push(copyOf(array[index], old?.[index], depth + 1));
    if (fault !== undefined) return faultAt(`[${index}]`);
  }
  return keeping ? Object.freeze(copy) : copy;
}

/** An array of which most may have been in the one before: only what differs is looked at, and counted. */
function listCopy(array: unknown[], before: readonly unknown[], depth: number): object | undefined {
  const partsBefore = parts;
  const bytesBefore = bytes;
  count(sizeOf(before), depth);
  loose = true;
  fault = sizeFault(0);
  if (fault !== undefined) return undefined;
  const old = twins?.take(before) ?? [...before];
  const added = isLong(array) ? array.length - sameItems(array, 0, old, 0) : Infinity;
  // A copy, as an array may have getters, or be a proxy. But a long one that a few items were added to stays where it is: a copy
  // would cost as much as the reducer.
  const copy = added <= ADDED_MAX && isBareArray(array) ? array : itemsOf(array);
  const same = copy === array ? array.length - added : sameItems(copy, 0, old, 0);
  const atEnd = sameAtEnd(copy, old, same);
  // Reading may have run code that copied something else.
  fault = undefined;
  changeItems(copy, old, { same, stop: copy.length - atEnd, stopOld: old.length - atEnd }, depth);
  if (fault !== undefined) return undefined;
  twins?.keep(copy, turnedInto(old, copy, same));
  Object.freeze(copy);
  kept.set(copy, sizeSince(partsBefore, bytesBefore, depth, 0));
  return copy;
}

interface Changed {
  /** How many items are the same at the start. */
  readonly same: number;
  /** Where those begin that are the same at the end, in the copy and in the array before. */
  readonly stop: number;
  readonly stopOld: number;
}

/** Checks the items of a copy that aren't those before, and counts what came and what went. */
function changeItems(copy: unknown[], old: readonly unknown[], { same, stop, stopOld }: Changed, depth: number): void {
  let [index, place] = [same, same];
  let searches = SEARCHES_MAX;
  while (index < stop) {
    const run = Math.min(sameItems(copy, index, old, place), stop - index, stopOld - place);
    index += run;
    place += run;
    if (index === stop) break;
    // Items may have gone from between.
    const found = place < stopOld && searches > 0 ? old.indexOf(copy[index], place + 1) : -1;
    searches -= 1;
    if (found > place && found < stopOld) {
      for (; place < found; place += 1) uncount(old[place]);
      continue;
    }
    const was = place < stopOld ? old[place] : undefined;
    if (was !== undefined) {
      uncount(was);
      place += 1;
    }
    copy[index] = copyOf(copy[index], was, depth + 1);
    if (fault !== undefined) return void faultAt(`[${index}]`);
    index += 1;
  }
  for (; place < stopOld; place += 1) uncount(old[place]);
}

function objectCopy(object: object, before: unknown, depth: number): object | undefined {
  const old = sharing ? objectBefore(before) : undefined;
  const large = old && kept.get(old);
  if (large && large.fields >= MANY) return recordCopy(object as PlainObject, old, large, depth);
  const partsBefore = parts;
  const bytesBefore = bytes;
  count(EMPTY, depth);
  fault = sizeFault(0);
  if (fault !== undefined) return undefined;
  const copy: Record<string, unknown> = {};
  let fields = 0;
  // Not Object.keys: its array is half the cost of a small copy.
  for (const field in object) {
    if (!Object.hasOwn(object, field)) continue;
    fault = fieldFault(field);
    if (fault !== undefined) return undefined;
    const value = (object as PlainObject)[field];
    // Reading may have run code that copied something else.
    fault = undefined;
    if (value === undefined) continue;
    bytes += field.length + FIELD_BYTES;
    const was = old !== undefined && typeof value === 'object' && Object.hasOwn(old, field) ? old[field] : undefined;
    copy[field] = copyOf(value, was, depth + 1);
    if (fault !== undefined) return faultAt(field);
    fields += 1;
  }
  if (!keeping) return copy;
  if (fields >= MANY) kept.set(copy, sizeSince(partsBefore, bytesBefore, depth, fields));
  return Object.freeze(copy);
}

/** An object with many fields, most of which the one before may have had: only what differs is looked at, and counted. */
function recordCopy(object: PlainObject, old: PlainObject, size: Size, depth: number): object | undefined {
  const partsBefore = parts;
  const bytesBefore = bytes;
  count(size, depth);
  loose = true;
  fault = sizeFault(0);
  if (fault !== undefined) return undefined;
  // Copied as a whole, and looked through after: half the work of a field at a time.
  const copy: Record<string | symbol, unknown> = { ...object };
  for (const symbol of Object.getOwnPropertySymbols(copy)) delete copy[symbol];
  // Reading may have run code that copied something else.
  fault = undefined;
  const names = Object.keys(copy);
  const dropped = new Set<string>();
  let met = 0;
  for (const field of names) {
    const value = copy[field];
    const had = Object.hasOwn(old, field);
    if (had) met += 1;
    if (had && Object.is(value, old[field])) continue;
    if (had) uncountField(field, old[field]);
    fault = fieldFault(field);
    if (fault !== undefined) return undefined;
    if (value === undefined) {
      dropped.add(field);
      delete copy[field];
      continue;
    }
    bytes += field.length + FIELD_BYTES;
    copy[field] = copyOf(value, had ? old[field] : undefined, depth + 1);
    if (fault !== undefined) return faultAt(field);
  }
  if (met < size.fields) {
    for (const field in old) {
      if (!Object.hasOwn(copy, field) && !dropped.has(field)) uncountField(field, old[field]);
    }
  }
  kept.set(copy, sizeSince(partsBefore, bytesBefore, depth, names.length - dropped.size));
  return Object.freeze(copy);
}

type PlainObject = Readonly<Record<string, unknown>>;

function objectBefore(before: unknown): PlainObject | undefined {
  return typeof before === 'object' && before !== null && !Array.isArray(before) ? (before as PlainObject) : undefined;
}

/** The size of a part that was made here. */
function sizeOf(part: object): Size {
  return kept.get(part) ?? measured(part);
}

/** The size of a part that came again: it may do so after each event. */
function remembered(part: object): Size {
  const size = measured(part);
  kept.set(part, size);
  return size;
}

function measured(part: object): Size {
  const size = { levels: 1, parts: 1, bytes: 1, fields: 0, loose: false };
  if (Array.isArray(part)) {
    for (let index = 0; index < part.length; index += 1) measure(part[index], size);
  } else {
    for (const field in part) {
      if (!Object.hasOwn(part, field)) continue;
      size.fields += 1;
      size.bytes += field.length + FIELD_BYTES;
      measure((part as PlainObject)[field], size);
    }
  }
  if (size.bytes >= KEPT_BYTES_MIN) kept.set(part, size);
  return size;
}

/** Adds an item to the size of its part. */
function measure(item: unknown, size: { -readonly [Field in keyof Size]: Size[Field] }): void {
  if (typeof item !== 'object' || item === null) {
    size.bytes += scalarBytes(item);
    return;
  }
  const inner = sizeOf(item);
  if (inner.levels >= size.levels) size.levels = inner.levels + 1;
  size.parts += inner.parts;
  size.bytes += 1 + inner.bytes;
  size.loose ||= inner.loose;
}

/** The size of the current part, from what was counted before it. */
function sizeSince(partsBefore: number, bytesBefore: number, depth: number, fields: number): Size {
  return { levels: deepest - depth, parts: parts - partsBefore, bytes: bytes - bytesBefore, fields, loose };
}

/** Takes a part back that was counted with the one before. */
function uncount(item: unknown): void {
  if (typeof item !== 'object' || item === null) {
    bytes -= scalarBytes(item);
    return;
  }
  const size = sizeOf(item);
  parts -= size.parts;
  bytes -= 1 + size.bytes;
}

function uncountField(field: string, item: unknown): void {
  bytes -= field.length + FIELD_BYTES;
  uncount(item);
}

/** An object or array without items: one of its two brackets, as the first item brings a comma too many. */
const EMPTY: Size = { levels: 1, parts: 1, bytes: 1, fields: 0, loose: false };
/** Two quotes and a colon. */
const FIELD_BYTES = 3;
/** A digit and a comma. */
const ITEM_BYTES_MIN = 2;

/** With its comma. */
function scalarBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  return typeof value === 'number' ? 2 : 5;
}

function scalarFault(value: unknown): Fault | undefined {
  switch (typeof value) {
    case 'string':
      return keeping ? undefined : textFault(value);
    case 'boolean':
    case 'object':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : here(`${value} is not a JSON number`);
    case 'undefined':
      return here('undefined is not JSON');
    default:
      return here(`a ${typeof value} is not JSON`);
  }
}

/** Whether the copy has become too large, or will be with the bytes that are certain to come. */
function sizeFault(rest: number): Fault | undefined {
  if (deepest > JSON_DEPTH_MAX) return here(`nested deeper than ${JSON_DEPTH_MAX} levels, or a cycle`);
  if (parts > JSON_PARTS_MAX) return here(`made of more than ${JSON_PARTS_MAX} objects and arrays`);
  if (bytes + rest <= bytesMax) return undefined;
  bytes += rest;
  return here(tooLarge());
}

function tooLarge(): string {
  return `larger than ${bytesMax} bytes`;
}

/** What is wrong with an object or array as a whole. */
function partFault(value: object): Fault | undefined {
  if (!isPlain(value)) return instanceFault(value);
  return typeof (value as { toJSON?: unknown }).toJSON === 'function' ? here('it has a toJSON') : undefined;
}

/** An array, or an object without a class. */
export function isPlain(value: object): boolean {
  return Array.isArray(value) ? isPlainArray(value) : isPlainObject(value);
}

function instanceFault(object: object): Fault {
  const name = (object.constructor as { name?: string } | undefined)?.name;
  return here(`${name ? `an instance of ${name}` : 'an object with a prototype'} is not plain JSON`);
}

function fieldFault(field: string): Fault | undefined {
  if (field === '__proto__') return at(field, here('a field must not be named __proto__'));
  if (keeping) return undefined;
  const inName = textFault(field);
  return inName && at(JSON.stringify(field), here(`the field's name: ${inName.problem}`));
}

/** Completes the path of the fault on the way out. */
function faultAt(step: string): undefined {
  fault = at(step, fault!);
}
