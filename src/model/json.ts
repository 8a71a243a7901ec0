/**
 * Plain JSON: what events, inputs and states are made of.
 *
 * Checking is separate from writing: `JSON.stringify` would turn `NaN` into `null`, call `toJSON`, and drop functions
 * without a word, so what it can't hold faithfully is found first and named with the path to it.
 */

/** A value that JSON holds faithfully. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };

/** What is wrong with a value, and where: `lines[2].price`. The path is empty for the value itself. */
export interface Fault {
  readonly path: string;
  readonly problem: string;
}

/** Values nested deeper than this are refused; a cycle ends here too. */
export const JSON_DEPTH_MAX = 100;

/** A value of more parts than this is refused: shared parts count each time, as JSON would write them. */
const JSON_PARTS_MAX = 4_000_000;
let parts = 0;

/** Finds what keeps a value from being plain JSON; undefined if nothing does. Undefined fields are as if absent. */
export function jsonFault(value: unknown): Fault | undefined {
  parts = 0;
  return faultIn(value, 0);
}

function faultIn(value: unknown, depth: number): Fault | undefined {
  switch (typeof value) {
    case 'string':
      return textFault(value);
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : here(`${value} is not a JSON number`);
    case 'object':
      if (value === null) return undefined;
      if (depth >= JSON_DEPTH_MAX) return here(`nested deeper than ${JSON_DEPTH_MAX} levels, or a cycle`);
      if ((parts += 1) > JSON_PARTS_MAX) return here(`made of more than ${JSON_PARTS_MAX} objects and arrays`);
      if (typeof (value as { toJSON?: unknown }).toJSON === 'function' && isPlain(value))
        return here('it has a toJSON');
      return Array.isArray(value) ? arrayFault(value, depth) : objectFault(value, depth);
    case 'undefined':
      return here('undefined is not JSON');
    default:
      return here(`a ${typeof value} is not JSON`);
  }
}

/** An array, or an object without a class. */
export function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function arrayFault(array: readonly unknown[], depth: number): Fault | undefined {
  for (let index = 0; index < array.length; index += 1) {
    const fault = faultIn(array[index], depth + 1);
    if (fault) return at(`[${index}]`, fault);
  }
  return undefined;
}

function objectFault(object: object, depth: number): Fault | undefined {
  if (!isPlain(object)) {
    const name = (object.constructor as { name?: string } | undefined)?.name;
    return here(`${name ? `an instance of ${name}` : 'an object with a prototype'} is not plain JSON`);
  }
  for (const field of Object.keys(object)) {
    if (field === '__proto__') return at(field, here('a field must not be named __proto__'));
    const inName = textFault(field);
    if (inName) return at(JSON.stringify(field), here(`the field's name: ${inName.problem}`));
    const value = (object as Record<string, unknown>)[field];
    if (value === undefined) continue;
    const fault = faultIn(value, depth + 1);
    if (fault) return at(field, fault);
  }
  return undefined;
}

/** A lone surrogate or a NUL: two engines would disagree about it (PostgreSQL refuses NUL). */
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

/** How a fault reads in a message: `lines[2].price: NaN is not a JSON number`. */
export function describeFault(fault: Fault): string {
  return fault.path === '' ? fault.problem : `${fault.path}: ${fault.problem}`;
}

/**
 * Freezes a plain JSON value deeply, in place, and finds what in it isn't plain JSON (which is left as it is). What is
 * frozen already is skipped, so that freezing a state of which one field changed costs that field. Undefined fields are
 * let through, as a reducer's way of removing one.
 */
export function freezeJson(value: unknown): Fault | undefined {
  return freezeIn(value, 0);
}

function freezeIn(value: unknown, depth: number): Fault | undefined {
  if (typeof value !== 'object' || value === null) {
    return value === undefined || typeof value === 'string' ? undefined : faultIn(value, 0);
  }
  if (Object.isFrozen(value) && !isShallow(value)) return undefined;
  if (depth >= JSON_DEPTH_MAX) return here(`nested deeper than ${JSON_DEPTH_MAX} levels, or a cycle`);
  if (!isPlain(value)) return objectFault(value, 0);
  let first: Fault | undefined;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const fault = value[index] === undefined ? here('undefined in an array') : freezeIn(value[index], depth + 1);
      if (fault) first ??= at(`[${index}]`, fault);
    }
  } else {
    for (const field of Object.keys(value)) {
      const fault = freezeIn((value as Record<string, unknown>)[field], depth + 1);
      if (fault) first ??= at(field, fault);
    }
  }
  Object.freeze(value);
  return first;
}

/** How many parts of a frozen value are looked at, to see whether it was frozen by hand and only on its surface. */
const SHALLOW_LOOK = 32;

function isShallow(value: object): boolean {
  let looked = 0;
  for (const field in value) {
    if (!Object.isFrozen((value as Record<string, unknown>)[field])) return true;
    if ((looked += 1) >= SHALLOW_LOOK) return false;
  }
  return false;
}

/**
 * The one text of a JSON value whatever the order its fields were given in: fields sorted by UTF-16 code units, numbers
 * and strings as `JSON.stringify` writes them, no white space (RFC 8785). The value must be free of faults.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  let text = '{';
  for (const field of Object.keys(value).sort()) {
    const inner = (value as Record<string, unknown>)[field];
    if (inner === undefined) continue;
    text += `${text === '{' ? '' : ','}${JSON.stringify(field)}:${canonicalJson(inner)}`;
  }
  return `${text}}`;
}
