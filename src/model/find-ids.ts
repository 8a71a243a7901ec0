/** Finding ids in an event by a key: in fields, by paths and templates, or by the user's functions. */
import { InvalidEvent } from '../errors.ts';
import { isPromise } from '../realm.ts';
import type { AnyEvent } from './event.ts';
import { idFault } from './id.ts';
import { jsonFault } from './json.ts';
import { keyFor, parsePath, type DeclaredPlace, type KeyDefinition, type Step } from './key.ts';
import { templateIds, templateOf } from './template.ts';

/** Finds the ids in events of one type; each id once, in the order found. */
export type IdFinder = (event: AnyEvent) => readonly string[];

const NONE: readonly string[] = [];

/** How a key finds ids in events of a type, as it is stored; undefined if it never does. */
export function idFinder(
  collection: string,
  key: Pick<KeyDefinition, 'declared' | 'functions'>,
  type: string,
): IdFinder | undefined {
  // The system's own events are attached to no document.
  if (type.startsWith('$')) return undefined;
  const call = key.functions.get(type);
  if (call) return (event) => resultIds(collection, call(event));
  const places = keyFor(key.declared, type);
  if (places === undefined || places === 'function') return undefined;
  const inAll = 'fields' in key.declared;
  const finders = places.map((place) => placeFinder(collection, place, inAll));
  if (finders.length === 1) return finders[0];
  return (event) => unique(finders.flatMap((find) => find(event)));
}

/** A field of all events is a name, never a path. */
function placeFinder(collection: string, place: DeclaredPlace, isName: boolean): IdFinder {
  if (typeof place !== 'string') return templateFinder(collection, place.template);
  if (isName) return (event) => idsIn(collection, place, own(event, place));
  const where = { collection, path: place };
  const steps = parsePath(place);
  return (event) => idsIn(collection, place, follow(event, steps, 0, where));
}

function templateFinder(collection: string, text: string): IdFinder {
  const template = templateOf(text);
  return (event) => {
    const found = templateIds(template, (field) => own(event, field));
    if (!('problem' in found)) return unique(found);
    const { field, problem } = found;
    throw new InvalidEvent(`The template ${text} of collection ${collection}: ${field} ${problem}.`, {
      collection,
      path: field,
      template: text,
    });
  };
}

/** Most items of the arrays that a key function returns; an event may be attached to far fewer documents. */
const ITEMS_MAX = 100_000;

/** An event is bounded; the result of a function isn't. */
function resultIds(collection: string, result: unknown): readonly string[] {
  if (itemsIn(result, ITEMS_MAX) >= 0) return idsIn(collection, 'the key function’s result', result);
  throw new InvalidEvent(`The key function of collection ${collection} returned more than ${ITEMS_MAX} items.`, {
    collection,
    max: ITEMS_MAX,
  });
}

/** How many more items than a value's arrays have are allowed; negative as soon as there are too many. */
function itemsIn(value: unknown, most: number): number {
  if (!Array.isArray(value)) return most;
  let left = most - value.length;
  for (let index = 0; index < value.length && left >= 0; index += 1) left = itemsIn(value[index], left);
  return left;
}

/** One id, an array of ids (nested, where a path went through several), or none. */
function idsIn(collection: string, where: string, value: unknown): readonly string[] {
  if (value === undefined || value === null) return NONE;
  if (Array.isArray(value)) return unique(value.flatMap((item: unknown) => idsIn(collection, where, item)));
  if (isPromise(value)) {
    const problem = 'returned a promise: it must be synchronous';
    throw new InvalidEvent(`The key function of collection ${collection} ${problem}.`, { collection });
  }
  const fault = idFault(value);
  if (fault === undefined) return [value as string];
  const shown = jsonFault(value) ? typeof value : JSON.stringify(value).slice(0, 100);
  const details = { collection, path: where };
  throw new InvalidEvent(`The id for collection ${collection} in ${where} ${fault}: ${shown}.`, details);
}

/** An event's field may have the name of something that every object inherits: `constructor`. */
function own(object: object, field: string): unknown {
  return Object.hasOwn(object, field) ? (object as Record<string, unknown>)[field] : undefined;
}

function unique(ids: readonly string[]): readonly string[] {
  return ids.length < 2 ? ids : [...new Set(ids)];
}

/** The value at a path; undefined if something on the way is missing. Another shape is an error: the event would get no id. */
function follow(value: unknown, steps: readonly Step[], index: number, where: Where): unknown {
  if (value === undefined || value === null) return undefined;
  const step = steps[index];
  if (!step) return value;
  if (typeof value !== 'object' || Array.isArray(value)) throw otherShape(where, 'an object', value);
  const inner = own(value, step.field);
  if (!step.each) return follow(inner, steps, index + 1, where);
  if (inner === undefined || inner === null) return undefined;
  if (!Array.isArray(inner)) throw otherShape(where, 'an array', inner);
  return inner.map((item) => follow(item, steps, index + 1, where));
}

interface Where {
  readonly collection: string;
  readonly path: string;
}

function otherShape({ collection, path }: Where, asked: string, value: unknown): InvalidEvent {
  const met = Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
  const details = { collection, path };
  return new InvalidEvent(`The path ${path} of collection ${collection} needs ${asked}, but met ${met}.`, details);
}
