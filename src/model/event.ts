/** Events: their schemas, their versions over the years, and their types. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition, DomainOutdated, UpcastFailed, type ErrorDetails } from '../errors.ts';
import { optionsOf, whole, type Checks } from '../options.ts';
import { isPromise, markOf } from '../realm.ts';
import { nameFault } from './id.ts';
import { reading, thrown } from './foreign.ts';
import { describeFault, freezePlain, plainCopy } from './json.ts';
import { describeIssues, isSchema, validate, type Validated } from './schema.ts';

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

/** An event's schema with its version and the steps from every earlier one. Made by {@link event}. */
export interface VersionedSchema<Input = unknown, Output = Input> extends StandardSchemaV1<Input, Output> {
  readonly version: number;
  readonly upcast: { readonly [from: number]: Upcast };
}

/**
 * An event whose shape has changed. The version is stored with each event; an event of an older version is upcast step by
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
  return reading('event()', () => {
    if (!isSchema(schema)) throw new InvalidDefinition('event(): the first argument must be a Standard Schema.');
    const { version, upcast } = versionsOf(options);
    return Object.freeze({ '~standard': schema['~standard'], version, upcast, [VERSIONED]: true }) as never;
  });
}

function versionsOf(options: unknown): Pick<VersionedSchema, 'version' | 'upcast'> {
  const { version, upcast = {} } = optionsOf<Versions>('event()', options, EVENT, InvalidDefinition, ['version']);
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
  return { version, upcast };
}

/** The mark of event(). A spread copies it too. */
const VERSIONED = markOf('versioned event');

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

/** What the engine knows of a domain: all its collections and commands carry the same. */
export interface DomainDefinition {
  readonly events: ReadonlyMap<string, EventDefinition>;
}

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
    definitions.set(type, { type, schema, ...versionedSchema(type, schema) });
  }
  return definitions;
}

/** Other libraries may have a `version` on a schema: only what event() made counts. */
function versionedSchema(type: string, schema: StandardSchemaV1): Pick<EventDefinition, 'version' | 'upcast'> {
  if (VERSIONED in schema) {
    const { version, upcast } = schema as Partial<VersionedSchema>;
    return versionsOf({ version, upcast });
  }
  if (!('upcast' in schema)) return { version: 1, upcast: {} };
  throw new InvalidDefinition(
    `domain(): the event ${type} has an upcast, but event() didn't make it, so its version would be 1. Write event(schema, { version, upcast }).`,
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
 * not be taken for the declared event.
 */
export const UNDECLARED = '$UNDECLARED';

/**
 * The event that was stored as this text, in its newest shape, frozen deeply. Types that the domain doesn't know come as they
 * were stored. An event stored before its type was declared comes as `{ type: '$UNDECLARED', undeclared: TYPE, fields }`.
 *
 * @throws SyntaxError if the text doesn't hold an event's fields
 * @throws DomainOutdated if it was stored at a version newer than this domain's
 * @throws UpcastFailed if an upcast throws, or the newest schema refuses what it returns
 */
export function readEvent(
  definition: EventDefinition | undefined,
  stored: { readonly type: string; readonly schemaVersion: number; readonly json: string },
  meta: UpcastMeta,
): AnyEvent {
  const { type, schemaVersion, json } = stored;
  const fields = storedFields(json);
  let event: AnyEvent = { type, ...fields };
  if (definition && schemaVersion === UNCHECKED) {
    event = { type: UNDECLARED, undeclared: type, fields };
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
  [T in keyof Schemas]: Schemas[T] extends StandardSchemaV1<infer _, infer Output> ? PlainEvent<Output> : never;
};

type PlainEvent<Output> = 0 extends 1 & Output
  ? unknown // `any` can't be checked.
  : Output extends AsJson<Output>
    ? [Extract<Output, { readonly type: unknown }>] extends [never]
      ? unknown
      : { '~an event has no field named type': never }
    : { '~not plain JSON': AsJson<Output> };
