/**
 * Plain JSON: what events, inputs and states are made of. A value is checked before it is written: `JSON.stringify` would turn
 * `NaN` into `null`, call `toJSON`, and drop functions silently.
 */

import { isPlainArray, isPlainObject } from '../realm.ts';
import { thrown } from './foreign.ts';

/** A value that JSON holds faithfully. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };

/** What is wrong with a value, and where: `lines[2].price`. The path is empty for the value itself. */
export interface Fault {
  readonly path: string;
  readonly problem: string;
}

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

// The copy under way: whether it keeps parts, its parts and bytes so far, the bytes allowed, the deepest level of the current
// part, and the fault that ends it, whose path is completed on the way out.
let keeping = false;
let parts = 0;
let bytes = 0;
let bytesMax = 0;
let deepest = 0;
let fault: Fault | undefined;

/**
 * A copy of a plain value, as `JSON.parse(JSON.stringify(value))` makes it (undefined fields dropped, -0 becomes 0), or why
 * the value isn't plain. Each part is read once, so what was checked is what was copied, also with getters. It ends as soon as
 * JSON is certain to need more than `max` bytes: see {@link Copied}.
 */
export function plainCopy(value: unknown, max = JSON_BYTES_MAX): Copied {
  return copied(value, false, max);
}

/**
 * A frozen copy as by {@link plainCopy}, which shares parts with earlier copies: a state of which one field changed costs that
 * field. Any text is allowed: it is in no event.
 */
export function keptCopy(value: unknown): Copied {
  return copied(value, true, JSON_BYTES_MAX);
}

/**
 * Parts that were copied here and came again, with their size. (Remembering every new part costs more than a second copy.) No
 * other frozen value is trusted: only its surface may be frozen.
 */
const kept = new WeakMap<object, { readonly levels: number; readonly parts: number; readonly bytes: number }>();

function copied(value: unknown, keep: boolean, max: number): Copied {
  // Reading may run code that copies something else.
  const outer = { keeping, parts, bytes, bytesMax, deepest };
  keeping = keep;
  parts = 0;
  // One less than nothing: each value counts a comma, and there is one comma fewer than values.
  bytes = -1;
  bytesMax = max;
  deepest = 0;
  fault = undefined;
  try {
    const copy = copyOf(value, 0);
    return fault === undefined ? { copy, bytes } : { fault, over: bytes > max };
  } catch (cause) {
    return { fault: here(`reading it threw ${thrown(cause)}`), over: false };
  } finally {
    ({ keeping, parts, bytes, bytesMax, deepest } = outer);
  }
}

/** Why a value isn't plain JSON; undefined if it is. Undefined fields count as absent. */
export function jsonFault(value: unknown): Fault | undefined {
  const copied = plainCopy(value);
  return 'fault' in copied ? copied.fault : undefined;
}

function copyOf(value: unknown, depth: number): unknown {
  if (typeof value === 'object' && value !== null) return partCopy(value, depth);
  bytes += scalarBytes(value);
  fault = scalarFault(value) ?? (bytes > bytesMax ? here(tooLarge()) : undefined);
  // Adding 0 makes 0 of -0.
  return typeof value === 'number' ? value + 0 : value;
}

function partCopy(value: object, depth: number): unknown {
  const known = keeping ? kept.get(value) : undefined;
  const deepestBefore = deepest;
  const partsBefore = parts;
  // A comma; two brackets are added below, where each item but the first brings a comma.
  const bytesBefore = (bytes += 1);
  deepest = depth + (known?.levels ?? 1);
  parts += known?.parts ?? 1;
  bytes += known?.bytes ?? 1;
  // What is far too large is refused before it is walked.
  const rest = !known && Array.isArray(value) ? value.length * ITEM_BYTES_MIN : 0;
  fault = sizeFault(rest) ?? (known ? undefined : partFault(value));
  if (fault !== undefined) return undefined;
  let copy = value;
  if (!known) {
    const again = keeping && Object.isFrozen(value);
    copy = Array.isArray(value) ? arrayCopy(value, depth) : objectCopy(value, depth);
    if (fault !== undefined) return undefined;
    if (keeping) Object.freeze(copy);
    if (again) kept.set(copy, { levels: deepest - depth, parts: parts - partsBefore, bytes: bytes - bytesBefore });
  }
  if (deepestBefore > deepest) deepest = deepestBefore;
  return copy;
}

function arrayCopy(array: readonly unknown[], depth: number): object {
  const copy: unknown[] = [];
  for (let index = 0; index < array.length; index += 1) {
    copy.push(copyOf(array[index], depth + 1));
    if (fault !== undefined) {
      fault = at(`[${index}]`, fault);
      break;
    }
  }
  return copy;
}

function objectCopy(object: object, depth: number): object {
  const copy: Record<string, unknown> = {};
  // Not Object.keys: its array is half the cost of a small copy.
  for (const field in object) {
    if (!Object.hasOwn(object, field)) continue;
    fault = fieldFault(field);
    if (fault !== undefined) break;
    const value = (object as Record<string, unknown>)[field];
    // Reading may have run code that copied something else.
    fault = undefined;
    if (value === undefined) continue;
    bytes += field.length + FIELD_BYTES;
    copy[field] = copyOf(value, depth + 1);
    if (fault !== undefined) {
      fault = at(field, fault);
      break;
    }
  }
  return copy;
}

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
function isPlain(value: object): boolean {
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

/** A lone surrogate or a NUL: two stores would disagree about it (PostgreSQL refuses NUL). */
export function textFault(value: string): Fault | undefined {
  if (!value.isWellFormed()) return here('a lone surrogate is not well-formed Unicode');
  return value.includes('\0') ? here('a NUL character') : undefined;
}

function here(problem: string): Fault {
  return { path: '', problem };
}

function at(step: string, { path, problem }: Fault): Fault {
  return { path: path === '' || path.startsWith('[') ? step + path : `${step}.${path}`, problem };
}

/** A fault in a message: `lines[2].price: NaN is not a JSON number`. */
export function describeFault(fault: Fault): string {
  return fault.path === '' ? fault.problem : `${fault.path}: ${fault.problem}`;
}

/** Freezes the plain parts of a value in place; a date or a map stays as it is. */
export function freezeWherePlain(value: unknown, depth = 0, seen = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null || depth >= JSON_DEPTH_MAX || seen.has(value)) return;
  seen.add(value);
  if (!isPlain(value)) return;
  for (const part of Object.values(value)) freezeWherePlain(part, depth + 1, seen);
  Object.freeze(value);
}

/**
 * Freezes deeply a value that is known to be plain, as `JSON.parse` or {@link plainCopy} made it.
 *
 * @throws SyntaxError if it is nested deeper than anything that could have been stored
 */
export function freezePlain(value: object, depth = 0): void {
  if (depth > JSON_DEPTH_MAX) throw new SyntaxError(`nested deeper than ${JSON_DEPTH_MAX} levels`);
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) freezePlain(item as object, depth + 1);
  } else {
    for (const field in value) {
      const part = (value as Record<string, unknown>)[field];
      // Own or inherited is asked last: asked of every field it would double the cost.
      if (typeof part === 'object' && part !== null && Object.hasOwn(value, field)) freezePlain(part, depth + 1);
    }
  }
  Object.freeze(value);
}

/** The one text of a JSON value (RFC 8785): fields sorted by UTF-16 code units, no white space. The value must be plain. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += text === '' ? canonicalJson(item) : `,${canonicalJson(item)}`;
    return `[${text}]`;
  }
  for (const field of sortedFields(value)) {
    const inner = (value as Record<string, unknown>)[field];
    if (inner !== undefined) text += `${text === '' ? '' : ','}${quoted(field)}:${canonicalJson(inner)}`;
  }
  return `{${text}}`;
}

/** Above it the built-in sort is better: below, its allocations cost more. */
const FEW_FIELDS = 12;

function sortedFields(object: object): readonly string[] {
  const fields = Object.keys(object);
  if (fields.length > FEW_FIELDS) return fields.sort();
  for (let end = 1; end < fields.length; end += 1) {
    const field = fields[end]!;
    let index = end;
    for (; index > 0 && fields[index - 1]! > field; index -= 1) fields[index] = fields[index - 1]!;
    fields[index] = field;
  }
  return fields;
}

/** The same few short names come again and again: quoting them anew is a third of the work. */
const QUOTED_MAX = 1_000;
const QUOTED_LENGTH_MAX = 64;
const quotedNames = new Map<string, string>();

function quoted(name: string): string {
  if (name.length > QUOTED_LENGTH_MAX) return JSON.stringify(name);
  let text = quotedNames.get(name);
  if (text === undefined) {
    if (quotedNames.size >= QUOTED_MAX) quotedNames.clear();
    quotedNames.set(name, (text = JSON.stringify(name)));
  }
  return text;
}
