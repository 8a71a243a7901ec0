/** Events: their schemas, their versions over the years, and their types. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition, DomainOutdated, UpcastFailed, type ErrorDetails } from '../errors.ts';
import { optionsOf, whole, type Checks } from '../options.ts';
import { isPromise, markOf } from '../realm.ts';
import { nameFault } from './id.ts';
import { reading, thrown } from './foreign.ts';
import { describeFault, freezePlain, plainCopy } from './json.ts';
import { describeIssues, isSchema, validate, type Validated } from './schema.ts';
import { fieldsOfSchema } from './shape.ts';

/** What an upcast knows besides the old fields: all of it was stored with the event. */
export interface UpcastMeta {
  /** When the event was decided, in milliseconds since the Unix epoch. */
  readonly time: number;
  /** Its place in the log. */
  readonly position: number;
}

/** Turns the fields of an event stored at one version into those of the next. Pure; never sees `type`. `undefined` drops it. */
// eslint-disable-next-line typescript/no-explicit-any -- no schema knows the old shape any more
export type Upcast = (old: any, meta: UpcastMeta) => object | undefined;

/** An event's schema with its version, the steps from every earlier one, and its former names. Made by {@link event}. */
export interface VersionedSchema<
  Input = unknown,
  Output = Input,
  Former extends string = string,
> extends StandardSchemaV1<Input, Output> {
  readonly version: number;
  readonly upcast: { readonly [from: number]: Upcast };
  readonly formerly: readonly Former[];
}

/** What `event()` is given: a version with its upcasts, former names, or both. */
export type VersionOptions<Former extends string> =
  | {
      readonly version: number;
      readonly upcast: { readonly [from: number]: Upcast };
      readonly formerly?: readonly Former[];
    }
  | { readonly formerly: readonly Former[]; readonly version?: undefined; readonly upcast?: undefined };

/**
 * An event whose shape or name has changed.
 *
 * **Shape.** The version is stored with each event; an event of an older version is upcast step by
 * step when it is read, so reducers and readers only see the newest shape. Stored events are never rewritten. The schema
 * checks what the last step returns: `UpcastFailed` if it doesn't fit. An upcast must not change ids: an event stays attached
 * to the documents it was stored with.
 *
 * A step that returns `undefined` drops the event: it still counts as a version of its documents, no reducer sees it, and
 * readers get `{ type: '$DROPPED', dropped: TYPE, fields }` with the stored fields.
 *
 * Raise the version for every change of the stored shape, also for a new field with a default: a default is filled in when an
 * event is made, and when one of an older version is read. `verify` finds events that lack a default, or whose value the
 * schema would turn into another kind (text into a number).
 *
 * **Name.** With `formerly` a type has a new name in code. Events are stored under its oldest name still, so releases with the
 * old and the new name work side by side on one log. Everything that is read, and `types`, speaks the new name.
 *
 * @param schema the newest shape
 * @param options `version`: 2 or more; `upcast`: for every older version the step to the next; `formerly`: former names of the
 * type, the oldest first
 * @throws InvalidDefinition if a step is missing, or a former name isn't valid
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
 *     // It was ITEM_ADDED once, and is stored so.
 *     ITEM_LISTED: event(type<{ sku: string }>(), { formerly: ['ITEM_ADDED'] }),
 *   },
 * });
 * ```
 */
export function event<Schema extends StandardSchemaV1, const Former extends string = never>(
  schema: Schema,
  options: VersionOptions<Former>,
): VersionedSchema<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>, Former> {
  return reading('event()', () => {
    if (!isSchema(schema)) throw new InvalidDefinition('event(): the first argument must be a Standard Schema.');
    return Object.freeze({ '~standard': schema['~standard'], ...versionsOf(options), [VERSIONED]: true }) as never;
  });
}

function versionsOf(options: unknown): Versions {
  const given = optionsOf<Partial<Versions>>('event()', options, EVENT as Checks<Partial<Versions>>);
  if (given.version === undefined && given.formerly === undefined) {
    throw new InvalidDefinition(
      'event(): the option version must be a whole number from 1 to 1000000, unless there is an option formerly.',
      { option: 'version' },
    );
  }
  const { version = 1, upcast = {}, formerly = [] } = given;
  for (let from = 1; from < version; from += 1) {
    if (typeof upcast[from] !== 'function') {
      throw new InvalidDefinition(
        `event(): version ${version} needs an upcast from version ${from}: add ${from}: (old) => new.`,
        { version, from },
      );
    }
  }
  const wrong = Object.keys(upcast).find(
    (from) => !(Number(from) < version && String(Math.trunc(Number(from))) === from),
  );
  if (wrong !== undefined) {
    throw new InvalidDefinition(
      `event(): upcast has a step ${JSON.stringify(wrong)}, but version ${version} is reached from the versions 1 to ${version - 1}.`,
      { version, from: wrong },
    );
  }
  return { version, upcast, formerly };
}

/** The mark of event(). A spread copies it too. */
const VERSIONED = markOf('versioned event');

type Versions = Pick<VersionedSchema, 'version' | 'upcast' | 'formerly'>;

const EVENT: Checks<Versions> = {
  version: whole(1, 1_000_000),
  upcast: (steps, refuse) =>
    typeof steps === 'object' && steps !== null
      ? Object.freeze({ ...(steps as VersionedSchema['upcast']) })
      : refuse('must be an object of functions: { 1: (old) => new }'),
  formerly: (names, refuse) => {
    if (!Array.isArray(names) || names.length === 0)
      return refuse('must be an array of former names: the oldest first');
    const list = Object.freeze(Array.from(names, (name: unknown) => name as string));
    for (const [index, name] of list.entries()) {
      const fault = typeFault(name);
      if (fault) refuse(`has the name ${JSON.stringify(name)}, which ${fault}`);
      if (list.indexOf(name) < index) refuse(`has the name ${name} twice`);
    }
    return list;
  },
};

/** Why a value is no name of an event type. */
function typeFault(name: unknown): string | undefined {
  return (
    nameFault(name) ?? ((name as string).startsWith('$') ? 'must not begin with $, as the system’s own do' : undefined)
  );
}

/** What the model knows of one type of event. */
export interface EventDefinition {
  /** Its name in code. */
  readonly type: string;
  /** Its oldest name: it is stored, attached, registered and compared by it. */
  readonly stored: string;
  readonly schema: StandardSchemaV1;
  readonly version: number;
  readonly upcast: { readonly [from: number]: Upcast };
  /** The names of all its fields; undefined where its schema doesn't tell them. */
  readonly fields: () => ReadonlySet<string> | undefined;
}

/** What the engine knows of a domain: all its collections and commands carry the same. */
export interface DomainDefinition {
  /** By their names in code. */
  readonly events: ReadonlyMap<string, EventDefinition>;
  /** The same by every name that a stored event of them may have: see {@link definitionOf}. */
  readonly stored: ReadonlyMap<string, EventDefinition>;
}

/**
 * The definition of events that are stored under this name; undefined if there is none. A renamed type is only ever stored under
 * its oldest name: what has a later one was stored by code that didn't know of the renaming, as something else.
 */
export function definitionOf(stored: DomainDefinition['stored'], name: string): EventDefinition | undefined {
  const found = stored.get(name);
  return found?.stored === name ? found : undefined;
}

/** The name under which events of a type are stored; a type that the domain doesn't have is stored as it is called. */
export function storedName({ events }: Pick<DomainDefinition, 'events'>, type: string): string {
  return events.get(type)?.stored ?? type;
}

export function defineEvents(events: unknown): DomainDefinition {
  if (typeof events !== 'object' || events === null) {
    throw new InvalidDefinition('domain(): events must be an object of schemas: { TYPE: schema }.');
  }
  const definitions = new Map<string, EventDefinition>();
  const former = new Map<string, string>();
  for (const [type, schema] of Object.entries(events)) {
    const fault = typeFault(type);
    if (fault) throw new InvalidDefinition(`domain(): the event type ${JSON.stringify(type)} ${fault}.`, { type });
    if (!isSchema(schema)) {
      throw new InvalidDefinition(
        `domain(): the event ${type} needs a Standard Schema (Zod, Valibot, ArkType, …) or type<T>().`,
        { type },
      );
    }
    const { version, upcast, formerly } = versionedSchema(type, schema);
    const fields = once(() => fieldsOfSchema(schema));
    definitions.set(type, { type, stored: formerly[0] ?? type, schema, version, upcast, fields });
    for (const name of formerly) {
      if (former.has(name)) throw formerTwice(name, former.get(name)!, type);
      former.set(name, type);
    }
  }
  const stored = new Map(definitions);
  for (const [name, type] of former) {
    if (definitions.has(name)) throw formerType(name, type);
    stored.set(name, definitions.get(type)!);
  }
  return { events: definitions, stored };
}

/** Made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function formerTwice(name: string, one: string, other: string): InvalidDefinition {
  return new InvalidDefinition(
    `domain(): ${name} is a former name of ${one} and of ${other}: its stored events can be read as one of them only.`,
    { type: other, formerly: name },
  );
}

function formerType(name: string, type: string): InvalidDefinition {
  const problem =
    name === type
      ? `the event ${type} has its own name among its former names`
      : `${name} is a former name of ${type}, and an event of the domain itself. Leave it out of events: its stored events are read as ${type}`;
  return new InvalidDefinition(`domain(): ${problem}.`, { type, formerly: name });
}

/** Other libraries may have a `version` on a schema: only what event() made counts. */
function versionedSchema(type: string, schema: StandardSchemaV1): Versions {
  if (VERSIONED in schema) {
    const { version, upcast, formerly } = schema as Partial<VersionedSchema>;
    return versionsOf({ version, upcast, formerly: formerly?.length === 0 ? undefined : formerly });
  }
  const option = (['upcast', 'formerly'] as const).find((name) => name in schema);
  if (option === undefined) return { version: 1, upcast: {}, formerly: [] };
  throw new InvalidDefinition(
    `domain(): the event ${type} has ${option}, but event() didn't make it, so that would be ignored. Write event(schema, { ${option} }).`,
    { type },
  );
}

/** An event as it is read: its type and its fields, frozen. */
export interface AnyEvent {
  readonly type: string;
  // eslint-disable-next-line typescript/no-explicit-any -- an event of any type: its fields aren't known here
  readonly [field: string]: any;
}

/** The type under which readers get an event that an upcast has dropped. */
export const DROPPED = '$DROPPED';

/** The schema version of events that no schema checks: the system's own, and failures that the domain doesn't declare. */
export const UNCHECKED = 0;

/**
 * The type under which readers get an unchecked event whose type the domain has declared since: it was a refusal, and must
 * not be taken for the declared event. And an event stored under a later name of a renamed type, by code that didn't rename it.
 */
export const UNDECLARED = '$UNDECLARED';

/**
 * The event that was stored as this text, in its newest shape and under its newest name, frozen deeply. Types that the domain
 * doesn't know come as they were stored. An event stored before its type was declared comes as `{ type: '$UNDECLARED', undeclared: TYPE, fields }`.
 *
 * @param definition what the domain's `stored` has for its type
 * @throws SyntaxError if the text doesn't hold an event's fields
 * @throws DomainOutdated if it was stored at a version newer than this domain's
 * @throws UpcastFailed if an upcast throws, or the newest schema refuses what it returns
 */
export function readEvent(
  definition: EventDefinition | undefined,
  stored: { readonly type: string; readonly schemaVersion: number; readonly json: string },
  meta: UpcastMeta,
): AnyEvent {
  const { schemaVersion, json } = stored;
  const fields = storedFields(json);
  const type = definition?.type ?? stored.type;
  let event: AnyEvent = { type, ...fields };
  if (definition && (schemaVersion === UNCHECKED || definition.stored !== stored.type)) {
    event = { type: UNDECLARED, undeclared: stored.type, fields };
  } else if (definition && schemaVersion !== definition.version) {
    const newest = upcastFields(definition, schemaVersion, fields, meta);
    event = newest === undefined ? { type: DROPPED, dropped: type, fields } : { type, ...newest };
  }
  freezePlain(event);
  return event;
}

/** @throws SyntaxError also for other JSON: the text is damaged then */
function storedFields(json: string): object {
  const fields: unknown = JSON.parse(json);
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields) && !Object.hasOwn(fields, 'type'))
    return fields;
  throw new SyntaxError('not the fields of an event');
}

function upcastFields(
  definition: EventDefinition,
  storedVersion: number,
  stored: object,
  meta: UpcastMeta,
): object | undefined {
  const { type, version, upcast } = definition;
  if (storedVersion > version) {
    throw new DomainOutdated(
      `An event ${type} is stored at version ${storedVersion}, but this code knows it up to ${version}: deploy the newer domain here.`,
      { type, stored: storedVersion, known: version },
    );
  }
  const known = Object.freeze({ time: meta.time, position: meta.position });
  let fields = stored;
  for (let from = storedVersion; from < version; from += 1) {
    const details = { type, from, to: from + 1 };
    try {
      const next = upcast[from]!(fields, known);
      if (next === undefined) return undefined;
      fields = next;
    } catch (cause) {
      throw new UpcastFailed(`Upcasting ${type} from version ${from} threw ${thrown(cause)}.`, details, cause);
    }
    const problem = fieldsProblem(fields);
    if (problem) throw new UpcastFailed(`Upcasting ${type} from version ${from} ${problem}.`, details);
  }
  // The schema's output is copied: the user's own objects stay as they are.
  return checkedFields(definition, fields, { type, from: storedVersion, to: version });
}

/** The newest schema's output for upcast fields: as if the event were stored today. */
function checkedFields({ type, schema }: EventDefinition, fields: object, details: ErrorDetails): object {
  const upcasting = `Upcasting ${type} from version ${String(details['from'])}`;
  let checked: Validated;
  try {
    checked = validate(schema, fields, 'event', type);
  } catch (cause) {
    throw new UpcastFailed(`${upcasting}: the schema threw ${thrown(cause)}.`, details, cause);
  }
  if ('issues' in checked) {
    const { issues } = checked;
    throw new UpcastFailed(
      `${upcasting} gave what the schema of version ${String(details['to'])} refuses: ${describeIssues(issues)}. Fix the upcast.`,
      { ...details, issues: issues.slice(0, 10) },
    );
  }
  const problem = fieldsProblem(checked.value);
  if (problem) throw new UpcastFailed(`${upcasting}: its schema ${problem}.`, details);
  const copied = plainCopy(checked.value);
  if ('copy' in copied) return copied.copy as object;
  throw new UpcastFailed(
    `${upcasting} gave something that is not plain JSON: ${describeFault(copied.fault)}.`,
    details,
  );
}

function fieldsProblem(fields: unknown): string | undefined {
  if (isPromise(fields)) return 'returned a promise: it must be synchronous';
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return 'must return an object of fields';
  return Object.hasOwn(fields, 'type') ? 'returned a field named type: an event keeps its type' : undefined;
}

// --- Types ---------------------------------------------------------------------------------------------------------------

type Scalar = string | number | boolean | null;
type Flatten<T> = T extends unknown ? { [K in keyof T]: T[K] } & {} : never;

/** The same type where it is plain JSON, and 'not plain JSON' where it isn't. */
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
  [T in keyof Schemas]: Schemas[T] extends StandardSchemaV1<infer _, infer Output>
    ? PlainEvent<Output> & FormerNames<Schemas[T], keyof Schemas>
    : never;
};

/** Marks at compile time a former name that is an event of the domain. */
type FormerNames<Schema, Types> =
  Schema extends VersionedSchema<infer _, infer _, infer Former>
    ? [string extends Former ? never : Former & Types] extends [never]
      ? unknown
      : { '~a former name is an event of the domain itself': Former & Types }
    : unknown;

type PlainEvent<Output> = 0 extends 1 & Output
  ? unknown // `any` can't be checked.
  : Output extends AsJson<Output>
    ? [Extract<Output, { readonly type: unknown }>] extends [never]
      ? unknown
      : { '~an event has no field named type': never }
    : { '~not plain JSON': AsJson<Output> };
