/** Keys: where a collection finds the ids of its documents in an event. */
import { InvalidDefinition, InvalidEvent } from '../errors.ts';
import type { AnyEvent, EventFrom } from './event.ts';
import { FAILURE_FIELDS } from './failure.ts';
import { isPromise } from '../realm.ts';
import { idFault, nameFault } from './id.ts';
import { jsonFault } from './json.ts';

/** What may be in the place of an id: one, several, or none. */
export type KeyValue = string | readonly string[] | null | undefined;

// Three levels are as deep as a path is typed (and checked) at compile time; deeper ones need a function.
type Deeper = { 3: 2; 2: 1; 1: 0; 0: never };
type PathsOf<V, Depth extends 0 | 1 | 2 | 3> = [Depth] extends [0]
  ? never
  : V extends unknown
    ? {
        [F in keyof V & string]-?: NonNullable<V[F]> extends string | readonly string[]
          ? F
          : NonNullable<V[F]> extends readonly (infer Item)[]
            ? Item extends object
              ? `${F}[].${PathsOf<Item, Deeper[Depth]>}`
              : never
            : NonNullable<V[F]> extends object
              ? `${F}.${PathsOf<NonNullable<V[F]>, Deeper[Depth]>}`
              : never;
      }[keyof V & string]
    : never;

type FieldsOf<V> = V extends unknown
  ? { [F in keyof V]-?: V[F] extends KeyValue ? F : never }[keyof V] & string
  : never;
type NamedFields<V> = keyof { [F in keyof V as string extends F ? never : F]: F } & keyof V;
type OtherFieldsOf<V> = 0 extends 1 & V
  ? never
  : V extends unknown
    ? { [F in NamedFields<V>]-?: V[F] extends KeyValue ? never : F }[NamedFields<V>] & string
    : never;
/** A field that holds ids in every event that has it. `reason` and `details` belong to a failure's event. */
type AnyField<E> = Exclude<
  { [T in keyof E]: FieldsOf<E[T]> }[keyof E],
  { [T in keyof E]: OtherFieldsOf<E[T]> }[keyof E] | (typeof FAILURE_FIELDS)[number]
>;

/**
 * A field name, several, or a map from event type to a field name, several, a path or a function. A missing or null field is no
 * id; an event with anything else in the place of an id, or on the way there, is refused (`InvalidEvent`).
 */
export type Key<E> =
  | AnyField<E>
  | readonly AnyField<E>[]
  | {
      readonly [T in keyof E]?: PathsOf<E[T], 3> | readonly PathsOf<E[T], 3>[] | ((event: EventFrom<E, T>) => KeyValue);
    };

type Has<V, Field> = 0 extends 1 & V ? true : V extends unknown ? (Field extends keyof V ? true : never) : never;
type FieldIn<K> = K extends readonly (infer Field)[] ? Field : K;

/** The event types that a key may attach: those that a map names, or those that have one of the fields. */
export type AttachedTypes<E, K> = K extends string | readonly string[]
  ? { [T in keyof E]: true extends Has<E[T], FieldIn<K>> ? T : never }[keyof E]
  : keyof K;

/** A key in the registry: another program can attach by it without the user's code, unless it is a function. */
export type DeclaredKey =
  | { readonly fields: readonly string[] }
  | { readonly types: { readonly [type: string]: readonly string[] | 'function' } };

type KeyFunction = (event: AnyEvent) => unknown;

/** A key after it was checked. */
export interface KeyDefinition {
  readonly declared: DeclaredKey;
  readonly functions: ReadonlyMap<string, KeyFunction>;
}

/** Checks a collection's key and brings it into its declared form. */
export function defineKey(collection: string, key: unknown, types: ReadonlyMap<string, unknown>): KeyDefinition {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Collection ${collection}: key ${problem}.`, { collection });
  };
  const names = (value: unknown, what: string): string[] => {
    const list: unknown = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list)) return wrong(`${what} must be a field name or several`);
    const fields = new Set<string>();
    for (const name of list as unknown[]) {
      const fault = nameFault(name) ?? (name === 'type' ? 'is the event’s type, not an id' : undefined);
      if (fault) wrong(`${what}: ${JSON.stringify(name)} ${fault}`);
      fields.add(name as string);
    }
    if (fields.size === 0) wrong(`${what} must be a field name or several`);
    return [...fields].sort();
  };
  if (typeof key === 'string' || Array.isArray(key)) {
    const fields = names(key, '');
    const taken = FAILURE_FIELDS.find((field) => fields.includes(field));
    if (taken) wrong(`must not be the field ${taken}, which every failure has itself. Give your field another name`);
    return { declared: { fields }, functions: new Map() };
  }
  if (typeof key !== 'object' || key === null) wrong('must be a field name, several, or a map from event type');

  const declared: Record<string, readonly string[] | 'function'> = {};
  const functions = new Map<string, KeyFunction>();
  for (const type of Object.keys(key as object).sort()) {
    if (!types.has(type)) wrong(`names the event type ${JSON.stringify(type)}, which the domain doesn't have`);
    const value = (key as Record<string, unknown>)[type];
    if (value === undefined) continue;
    if (typeof value === 'function') functions.set(type, value as KeyFunction);
    declared[type] = typeof value === 'function' ? 'function' : names(value, `for ${type}`);
    if (declared[type] !== 'function') for (const path of declared[type]) parsePath(path, wrong);
  }
  return { declared: { types: declared }, functions };
}

/** Where a key looks in events of a type; undefined if it finds nothing in them. */
export function keyFor(key: DeclaredKey, type: string): readonly string[] | 'function' | undefined {
  if ('fields' in key) return key.fields;
  return Object.hasOwn(key.types, type) ? key.types[type] : undefined;
}

/** The event types whose key is a function. */
export function functionTypes(key: DeclaredKey): readonly string[] {
  return 'fields' in key ? [] : Object.keys(key.types).filter((type) => key.types[type] === 'function');
}

/** The top-level field names in a key: a failure's ids are taken from these fields of the input. */
export function keyFields(key: DeclaredKey): readonly string[] {
  if ('fields' in key) return key.fields;
  return Object.values(key.types).flatMap((paths) =>
    paths === 'function' ? [] : paths.filter((path) => !/[.[]/.test(path)),
  );
}

/** Finds the ids in events of one type; each id once, in the order found. */
export type IdFinder = (event: AnyEvent) => readonly string[];

const NONE: readonly string[] = [];

/** How a key finds ids in events of a type; undefined if it never does. */
export function idFinder(collection: string, key: KeyDefinition, type: string): IdFinder | undefined {
  // The system's own events are attached to no document.
  if (type.startsWith('$')) return undefined;
  if ('fields' in key.declared) {
    const { fields } = key.declared;
    if (fields.length === 1) {
      const field = fields[0]!;
      return (event) => idsIn(collection, field, own(event, field));
    }
    return (event) => unique(fields.flatMap((field) => idsIn(collection, field, own(event, field))));
  }
  const call = key.functions.get(type);
  if (call) {
    return (event) => {
      const result = call(event);
      // An event is bounded; the result of a function isn't.
      if (itemsIn(result, ITEMS_MAX) < 0) {
        const problem = `returned more than ${ITEMS_MAX} items`;
        throw new InvalidEvent(`The key function of collection ${collection} ${problem}.`, {
          collection,
          max: ITEMS_MAX,
        });
      }
      return idsIn(collection, 'the key function’s result', result);
    };
  }
  const paths = keyFor(key.declared, type);
  if (paths === undefined || paths === 'function') return undefined;
  const parsed = paths.map((path) => ({ collection, path, steps: parsePath(path) }));
  return (event) =>
    unique(parsed.flatMap((where) => idsIn(collection, where.path, follow(event, where.steps, 0, where))));
}

/** Most items of the arrays that a key function returns; an event may be attached to far fewer documents. */
const ITEMS_MAX = 100_000;

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

/** `lines[].sku` → the fields to follow; `each` marks an array. */
interface Step {
  readonly field: string;
  readonly each: boolean;
}

function parsePath(path: string, wrong?: (problem: string) => never): readonly Step[] {
  return path.split('.').map((part) => {
    const each = part.endsWith('[]');
    const field = each ? part.slice(0, -2) : part;
    if (wrong && (field === '' || field.includes('['))) {
      wrong(`has the path ${JSON.stringify(path)}: write it like lines[].sku`);
    }
    return { field, each };
  });
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
