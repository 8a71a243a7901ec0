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

/** Finds what keeps a value from being plain JSON; undefined if nothing does. Undefined fields are as if absent. */
export function jsonFault(value: unknown, depth = 0): Fault | undefined {
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
      return Array.isArray(value) ? arrayFault(value, depth) : objectFault(value, depth);
    case 'undefined':
      return here('undefined is not JSON');
    default:
      return here(`a ${typeof value} is not JSON`);
  }
}

function arrayFault(array: readonly unknown[], depth: number): Fault | undefined {
  for (let index = 0; index < array.length; index += 1) {
    const fault = jsonFault(array[index], depth + 1);
    if (fault) return at(`[${index}]`, fault);
  }
  return undefined;
}

function objectFault(object: object, depth: number): Fault | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    const name = (object.constructor as { name?: string } | undefined)?.name;
    return here(`${name ? `an instance of ${name}` : 'an object with a prototype'} is not plain JSON`);
  }
  for (const field of Object.keys(object)) {
    if (field === '__proto__') return at(field, here('a field must not be named __proto__'));
    const inName = textFault(field);
    if (inName) return at(JSON.stringify(field), here(`the field's name: ${inName.problem}`));
    const value = (object as Record<string, unknown>)[field];
    if (value === undefined) continue;
    const fault = jsonFault(value, depth + 1);
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
 * Freezes a plain JSON value deeply, in place. What is frozen already is taken to be frozen all the way down and
 * skipped, so that freezing a state of which one field changed costs that field. Returns a fault where it meets
 * something that isn't plain JSON; undefined fields are let through, as a reducer's way of removing one.
 */
export function freezeJson(value: unknown): Fault | undefined {
  if (typeof value !== 'object' || value === null) {
    return value === undefined || typeof value === 'string' ? undefined : jsonFault(value);
  }
  if (Object.isFrozen(value)) return undefined;
  if (Array.isArray(value)) {
    Object.freeze(value);
    for (let index = 0; index < value.length; index += 1) {
      const fault = value[index] === undefined ? here('undefined in an array') : freezeJson(value[index]);
      if (fault) return at(`[${index}]`, fault);
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return objectFault(value, 0);
  Object.freeze(value);
  for (const field of Object.keys(value)) {
    const fault = freezeJson((value as Record<string, unknown>)[field]);
    if (fault) return at(field, fault);
  }
  return undefined;
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
