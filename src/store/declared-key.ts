/** Reads a collection's key and types back, and checks their shape: attaching relies on it. */
import type { DeclaredKey } from '../model/key.ts';

export function isDeclaredKey(value: unknown): value is DeclaredKey {
  if (!isObject(value)) return false;
  const { fields, types, ...more } = value;
  if (Object.keys(more).length > 0 || (fields === undefined) === (types === undefined)) return false;
  if (fields !== undefined) return arePlaces(fields);
  return isObject(types) && Object.values(types).every((places) => places === 'function' || arePlaces(places));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arePlaces(value: unknown): boolean {
  return Array.isArray(value) && value.every((place) => isText(place) || isTemplate(place));
}

/** `{ template: '{room_id}/{day}' }`: any text with one field in braces or more. */
function isTemplate(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).length !== 1) return false;
  return isText(value['template']) && /^[^{}]*(?:\{[^{}]+\}[^{}]*)+$/.test(value['template']);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

/**
 * A key from its JSON text. Throws the error that `wrong` makes of what is wrong with it.
 *
 * @example
 * ```ts
 * import { LogCorrupt } from 'tidemark';
 * import { declaredKeyOf } from 'tidemark/store';
 *
 * const key = declaredKeyOf('{"fields":["order_id"]}', (what) => new LogCorrupt(`The registry is damaged: ${what}.`));
 * ```
 */
export function declaredKeyOf(json: string, wrong: (what: string) => Error): DeclaredKey {
  return parsed(json, 'the declared key', isDeclaredKey, wrong);
}

/** The types that a collection handles from their JSON text. Throws as {@link declaredKeyOf} does. */
export function handledOf(json: string, wrong: (what: string) => Error): readonly string[] {
  return parsed(json, 'the list of handled types', areTexts, wrong);
}

function parsed<T>(json: string, name: string, is: (value: unknown) => value is T, wrong: (what: string) => Error): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw wrong(`${name} isn’t JSON`);
  }
  if (is(value)) return value;
  throw wrong(`${name} isn’t valid`);
}
