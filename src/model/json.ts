/**
 * Plain JSON: what events, inputs and states are made of. A value is checked before it is written: `JSON.stringify` would turn
 * `NaN` into `null`, call `toJSON`, and drop functions silently.
 */
import { isPlain, JSON_DEPTH_MAX } from './copy.ts';

export { JSON_BYTES_MAX, JSON_DEPTH_MAX, jsonFault, keptCopy, plainCopy, type Copied } from './copy.ts';
export { describeFault, textFault, type Fault } from './fault.ts';

/** A value that JSON holds faithfully. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };

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
