/** Commands: what may be asked for, on which documents the answer rests, and the pure function that gives it. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition } from '../errors.ts';
import { callable, optionsOf, type Checks } from '../options.ts';
import { markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { DomainDefinition, EventFrom } from './event.ts';
import type { Failure, FAILURE_FIELDS } from './failure.ts';
import { nameFault } from './id.ts';
import type { KeyValue } from './key.ts';
import type { Nothing, Unchanged } from './nothing.ts';
import type { Documents, Read, Reads } from './reads.ts';
import { isSchema } from './schema.ts';

/** What `reads` and `decide` know of the world: all of it recorded or derived, so that deciding again gives the same. */
export interface Context<Prepared = undefined> {
  /** The command's id. */
  readonly id: string;
  /** The later of the server's clock and the newest time it has seen in the log; milliseconds since the Unix epoch. */
  readonly time: number;
  /** Who asks, as the caller of `execute` said. */
  readonly actor: string | undefined;
  /** What `prepare` returned. */
  readonly prepared: Prepared;
  /** An id for something new, derived from the command's id: the same again when the command is decided again. */
  newId(): string;
}

/** What `prepare` knows. */
export interface PrepareContext {
  /** The command's id: give it to a provider as the key by which it does a thing once, however often it is asked. */
  readonly id: string;
  readonly actor: string | undefined;
  /** Aborts when nobody waits for the command any more, or the application closes. */
  readonly signal: AbortSignal;
}

/** A command. Made by `domain(…).command(…)`. */
export interface Command<Name extends string, Input, Reason extends string, Event> {
  readonly name: Name;
  /** Only a type: what goes in and what comes out. */
  readonly $?: { readonly input: Input; readonly reason: Reason; readonly event: Event };
}

// eslint-disable-next-line typescript/no-explicit-any -- a command of any input and events
export type AnyCommand = Command<string, any, string, any>;

type DeclaredFailure<E, Type extends string> = Type extends keyof E
  ? E[Type] extends { reason: infer Reason extends string }
    ? Failure<Reason>
    : Failure
  : Failure;

/**
 * Marks at compile time a command whose failures would be stored as an event that means something else: a declared type
 * that nobody named, or one without a reason.
 */
export type NamedFailure<E, Type extends string> = string extends keyof E
  ? unknown // Types that are made at run time: nothing is known of their names.
  : Type extends keyof E
    ? E[Type] extends { reason: string }
      ? { readonly failureType: Type }
      : { readonly '~the event of a failure needs a field reason, a string': Type }
    : unknown;

/**
 * What `command()` returns: no command where `decide` may return an empty array, but what to return instead. (A mark among
 * the options would be found one line earlier, and cost three quarters more of the whole type check.)
 */
export type CommandOf<D, Made> = 0 extends 1 & D
  ? Made // `any`: nothing is known, so nothing can be said against it.
  : [Extract<D, readonly []>] extends [never]
    ? Made
    : { readonly '~decide returns no event: return nothing() where there is nothing to do': D };

/**
 * What `decide` may return: an event, several, a failure (of the reasons that the domain declares, if it does), or
 * nothing to do.
 */
export type DecisionOf<E, FailureType extends string> =
  EventFrom<E> | readonly EventFrom<E>[] | DeclaredFailure<E, FailureType> | Nothing;

/** The reasons among the decisions. */
export type ReasonOf<D> = D extends Failure<infer Reason> ? Reason : never;

type TypesOf<D> = D extends readonly (infer One)[] ? TypesOf<One> : D extends { readonly type: infer T } ? T : never;

/** The events among the decisions, as they are read back. */
export type DecidedEvent<E, D> =
  EventFrom<E, TypesOf<D> & keyof E> | ([Extract<D, Nothing>] extends [never] ? never : Unchanged);

/** What `command()` is given, in this order: types flow from each to the next. */
export interface CommandOptions<Schema extends StandardSchemaV1, Prepared, R, D, FailureType extends string> {
  /** Checked before anything else; what it refuses never becomes a command. */
  readonly input: Schema;
  /**
   * The place for calls to the outside world; runs before the queue. If it throws, so does `execute`, and nothing is
   * recorded. While it runs, the same command sent again in this process waits for what comes of it; sent again later, and
   * unless it had an outcome, `prepare` runs again: with the same `context.id` (docs/how-to/outside-world.md).
   */
  readonly prepare?: (
    input: StandardSchemaV1.InferOutput<Schema>,
    context: PrepareContext,
  ) => Prepared | PromiseLike<Prepared>;
  /** The documents the decision rests on: refs in an object, or a generator. */
  readonly reads?: (input: StandardSchemaV1.InferOutput<Schema>, context: Context<Prepared>) => R;
  /** Pure and synchronous: an event, several, a failure, or `nothing()`. */
  readonly decide: (
    documents: Documents<R>,
    input: StandardSchemaV1.InferOutput<Schema>,
    context: Context<Prepared>,
  ) => D;
  /**
   * The type of a failure's event. `NAME_FAILED` if not given, and then no event of the domain may have that name: a
   * refusal must not be taken for a fact. A declared one that is named here has a field `reason`.
   */
  readonly failureType?: FailureType;
  /** The id fields of a failure's event; by default the input's top-level fields that a collection's key names. */
  readonly about?: (input: StandardSchemaV1.InferOutput<Schema>) => About;
}

/** Fields that hold ids, beside those that a failure's event has of its own. */
type About = { readonly [field: string]: KeyValue } & {
  readonly [field in 'type' | (typeof FAILURE_FIELDS)[number]]?: undefined;
};

/** What the engine knows of a command. */
export interface CommandDefinition {
  readonly name: string;
  readonly input: StandardSchemaV1;
  readonly prepare: ((input: unknown, context: PrepareContext) => unknown) | undefined;
  readonly reads: ((input: unknown, context: Context<unknown>) => unknown) | undefined;
  readonly decide: (documents: unknown, input: unknown, context: Context<unknown>) => unknown;
  readonly failureType: string;
  readonly about: ((input: unknown) => unknown) | undefined;
  readonly domain: DomainDefinition;
}

const MARK = markOf('command');

/** The definition behind a command; undefined if `domain(…).command` didn't make it. @throws see {@link brandOf} */
export function findCommand(command: unknown): CommandDefinition | undefined {
  return brandOf(command, MARK) as CommandDefinition | undefined;
}

/** The definition behind a command. @throws InvalidDefinition if `domain(…).command` didn't make it */
export function commandDefinition(command: unknown): CommandDefinition {
  const found = findCommand(command);
  if (found) return found;
  throw new InvalidDefinition('Not a command: pass what domain(…).command(…) returned.');
}

/** Checks a command's options and makes it. */
export function defineCommand(name: string, options: unknown, domain: DomainDefinition): AnyCommand {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Command ${JSON.stringify(name)}: ${problem}.`, { command: String(name) });
  };
  const fault = nameFault(name) ?? (name.startsWith('$') ? 'must not begin with $' : undefined);
  if (fault) wrong(`the name ${fault}`);
  if (typeof options !== 'object' || options === null) wrong('needs { input, decide }');
  const given = optionsOf<UntypedCommandOptions>(
    `Command ${JSON.stringify(name)}`,
    options,
    COMMAND,
    InvalidDefinition,
    NEEDED,
  );
  const failureType = given.failureType === undefined ? `${name}_FAILED` : given.failureType;
  const typeFault = nameFault(failureType) ?? (failureType.startsWith('$') ? 'must not begin with $' : undefined);
  if (typeFault) wrong(`failureType ${typeFault}`);
  if (given.failureType === undefined && domain.events.has(failureType)) {
    wrong(
      `its failures would be stored as ${failureType}, which is an event of the domain. Write failureType: '${failureType}' if that event is the refusal (with a field reason), or give failures another name by failureType`,
    );
  }
  const found: CommandDefinition = {
    name,
    input: given.input,
    prepare: given.prepare,
    reads: given.reads,
    decide: given.decide,
    failureType,
    about: given.about,
    domain,
  };
  return Object.freeze(brand({ name }, MARK, found));
}

type UntypedCommandOptions = Pick<CommandDefinition, 'input' | 'decide'> &
  Partial<Pick<CommandDefinition, 'prepare' | 'reads' | 'about' | 'failureType'>>;

const NEEDED = ['input', 'decide'] as const;
const COMMAND: Checks<UntypedCommandOptions> = {
  input: (schema, refuse) =>
    isSchema(schema) ? schema : refuse('must be a Standard Schema (Zod, Valibot, ArkType, …) or type<T>()'),
  prepare: callable(),
  reads: callable(),
  decide: callable(),
  failureType: (type) => type as string,
  about: callable(),
};

export type { Read, Reads };
