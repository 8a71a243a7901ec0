/** Events: their schemas, their versions over the years, and their types. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition, DomainOutdated, UpcastFailed } from '../errors.ts';
import { optionsOf, whole, type Checks } from '../limits.ts';
import { nameFault } from './id.ts';
import { isPromise, reading, thrown } from './foreign.ts';
import { describeFault, freezePlain, jsonFault } from './json.ts';
import { isSchema } from './schema.ts';

/** Turns the fields of an event stored at one version into those of the next. Pure; never sees `type`. */
// eslint-disable-next-line typescript/no-explicit-any -- the old shape lives in no schema any more
export type Upcast = (old: any) => object;

/** An event's schema with its version and the way there from every earlier one. Made by {@link event}. */
export interface VersionedSchema<Input = unknown, Output = Input> extends StandardSchemaV1<Input, Output> {
  readonly version: number;
  readonly upcast: { readonly [from: number]: Upcast };
}

/**
 * An event whose shape has changed. The version is stored with each event; what was stored at an older one is upcast
 * step by step when it is read, so that reducers and readers only see the newest shape. Stored events are never
 * rewritten. An upcast must leave the ids alone: what an event is attached to was settled when it was stored.
 *
 * @param schema the newest shape
 * @param options `version`: 2 or more; `upcast`: for every older version the step to the next
 * @throws InvalidDefinition if a step is missing
 *
 * @example
 * ```ts
 * import { domain, event, type } from 'tidemark';
 *
 * const shop = domain({
 *   events: {
 *     // Version 1 had { sku, price } in whole euros.
 *     PRICE_CHANGED: event(type<{ sku: string; cents: number }>(), {
 *       version: 2,
 *       upcast: { 1: ({ sku, price }) => ({ sku, cents: price * 100 }) },
 *     }),
 *   },
 * });
 * ```
 */
export function event<Schema extends StandardSchemaV1>(
  schema: Schema,
  options: { readonly version: number; readonly upcast: { readonly [from: number]: Upcast } },
): VersionedSchema<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>> {
  return reading('event()', () => versioned(schema, options)) as never;
}

function versioned(
  schema: StandardSchemaV1,
  options: { readonly version: number; readonly upcast: { readonly [from: number]: Upcast } },
): VersionedSchema<unknown, unknown> {
  if (!isSchema(schema)) throw new InvalidDefinition('event(): the first argument must be a Standard Schema.');
  const { version, upcast = {} } = optionsOf<Versions>('event()', options, EVENT, InvalidDefinition, ['version']);
  for (let from = 1; from < version; from += 1) {
    if (typeof upcast[from] !== 'function') {
      throw new InvalidDefinition(
        `event(): version ${version} needs an upcast from version ${from}: add ${from}: (old) => new.`,
        { version, from },
      );
    }
  }
  return Object.freeze({ '~standard': schema['~standard'], version, upcast }) as never;
}

type Versions = Pick<VersionedSchema, 'version'> & Partial<Pick<VersionedSchema, 'upcast'>>;

const EVENT: Checks<Versions> = {
  version: whole(1, 1_000_000),
  upcast: (steps, refuse) =>
    typeof steps === 'object' && steps !== null
      ? Object.freeze({ ...(steps as VersionedSchema['upcast']) })
      : refuse('must be an object of functions: { 1: (old) => new }'),
};

/** What the model knows of one type of event. */
export interface EventDefinition {
  readonly type: string;
  readonly schema: StandardSchemaV1;
  readonly version: number;
  readonly upcast: { readonly [from: number]: Upcast };
}

/** Checks a domain's `events` and makes definitions of them. */
export function defineEvents(events: unknown): ReadonlyMap<string, EventDefinition> {
  if (typeof events !== 'object' || events === null) {
    throw new InvalidDefinition('domain(): events must be an object of schemas: { TYPE: schema }.');
  }
  const definitions = new Map<string, EventDefinition>();
  for (const [type, schema] of Object.entries(events)) {
    const fault =
      nameFault(type) ?? (type.startsWith('$') ? 'must not begin with $, as the system’s own do' : undefined);
    if (fault) throw new InvalidDefinition(`domain(): the event type ${JSON.stringify(type)} ${fault}.`, { type });
    if (!isSchema(schema)) {
      throw new InvalidDefinition(
        `domain(): the event ${type} needs a Standard Schema (Zod, Valibot, ArkType, …) or type<T>().`,
        { type },
      );
    }
    const { version = 1, upcast = {} } = schema as Partial<VersionedSchema>;
    // Other libraries may have a `version` of their own on a schema: only ours counts.
    const versioned = typeof version === 'number' && Object.isFrozen(schema) && 'upcast' in schema;
    definitions.set(type, { type, schema, version: versioned ? version : 1, upcast: versioned ? upcast : {} });
  }
  return definitions;
}

/** An event as it is read: its type and its fields, frozen. */
export interface AnyEvent {
  readonly type: string;
  // eslint-disable-next-line typescript/no-explicit-any -- an event of any type: its fields aren't known here
  readonly [field: string]: any;
}

/**
 * The event that was stored as this text, in its newest shape, frozen deeply. Types the domain doesn't know (the
 * system's, undeclared failures, a newer server's) come as they were stored.
 *
 * @throws SyntaxError if the text isn't that of an event's fields
 * @throws DomainOutdated if it was stored at a version that this domain doesn't know yet
 * @throws UpcastFailed if an upcast throws or returns no plain object
 */
export function readEvent(
  definition: EventDefinition | undefined,
  stored: { readonly type: string; readonly schemaVersion: number; readonly json: string },
): AnyEvent {
  const { type, schemaVersion, json } = stored;
  let fields = storedFields(json);
  if (definition && schemaVersion !== definition.version) fields = upcastFields(definition, schemaVersion, fields);
  const event = { type, ...fields };
  freezePlain(event);
  return event;
}

/** @throws SyntaxError also where it is JSON, but of no event: only damage can have put that there */
function storedFields(json: string): object {
  const fields: unknown = JSON.parse(json);
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields) && !Object.hasOwn(fields, 'type'))
    return fields;
  throw new SyntaxError('no fields of an event');
}

function upcastFields(definition: EventDefinition, storedVersion: number, stored: object): object {
  const { type, version, upcast } = definition;
  if (storedVersion > version) {
    throw new DomainOutdated(
      `An event ${type} is stored at version ${storedVersion}, but this code knows it up to ${version}: deploy the newer domain here.`,
      { type, stored: storedVersion, known: version },
    );
  }
  let fields = stored;
  for (let from = storedVersion; from < version; from += 1) {
    const details = { type, from, to: from + 1 };
    try {
      fields = upcast[from]!(fields);
    } catch (cause) {
      throw new UpcastFailed(`Upcasting ${type} from version ${from} threw ${thrown(cause)}.`, details, cause);
    }
    const problem = upcastProblem(fields);
    if (problem) throw new UpcastFailed(`Upcasting ${type} from version ${from} ${problem}.`, details);
  }
  return fields;
}

/** What an upcast gives is an event's fields, which no schema looks at any more. */
function upcastProblem(fields: unknown): string | undefined {
  if (isPromise(fields)) return 'returned a promise: it must be synchronous';
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return 'must return an object of fields';
  if (Object.hasOwn(fields, 'type')) return 'returned a field named type: an event keeps its type';
  const fault = jsonFault(fields);
  return fault && `gave no plain JSON: ${describeFault(fault)}`;
}

// --- Types ---------------------------------------------------------------------------------------------------------------

type Scalar = string | number | boolean | null;
type Flatten<T> = T extends unknown ? { [K in keyof T]: T[K] } & {} : never;

/** The same type where it is plain JSON, and 'not plain JSON' at the places where it isn't. */
export type AsJson<T> = T extends Scalar | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly AsJson<U>[]
    : T extends
          bigint | symbol | Date | ReadonlyMap<never, unknown> | ReadonlySet<unknown> | ((...a: never[]) => unknown)
      ? 'not plain JSON'
      : T extends object
        ? { [K in keyof T]: AsJson<T[K]> }
        : T;

/** Read-only all the way down. */
export type Frozen<T> = T extends Scalar | undefined
  ? T
  : T extends readonly unknown[]
    ? number extends T['length']
      ? readonly Frozen<T[number]>[]
      : { readonly [K in keyof T]: Frozen<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: Frozen<T[K]> }
      : T;

/** The events of a domain's shapes, as reducers see them. */
export type EventFrom<E, T extends keyof E = keyof E> = { [K in T]: Flatten<{ readonly type: K } & Frozen<E[K]>> }[T];

/** The shapes that a domain's schemas give. */
export type ShapesOf<Schemas> = {
  [T in keyof Schemas]: Schemas[T] extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<Schemas[T]> : never;
};

/** Marks at compile time what can't be an event: a field JSON can't hold, or one named `type`. */
export type PlainSchemas<Schemas> = {
  [T in keyof Schemas]: Schemas[T] extends StandardSchemaV1<infer _, infer Output> ? PlainEvent<Output> : never;
};

type PlainEvent<Output> = 0 extends 1 & Output
  ? unknown // `any`: nothing is known, so nothing can be said against it.
  : Output extends AsJson<Output>
    ? [Extract<Output, { readonly type: unknown }>] extends [never]
      ? unknown
      : { '~an event has no field named type': never }
    : { '~not plain JSON': AsJson<Output> };
