/** Commands: what may be asked for, which documents the answer depends on, and the pure function that gives it. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition } from '../errors.ts';
import { callable, optionsOf, type Checks } from '../options.ts';
import { markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { DomainDefinition, EventFrom } from './event.ts';
import type { Failure, FAILURE_FIELDS } from './failure.ts';
import { nameFault } from './id.ts';
import type { KeyValue } from './key-types.ts';
import type { Nothing, Unchanged } from './nothing.ts';
import type { Documents } from './reads.ts';
import { isSchema } from './schema.ts';

/** What `reads` and `decide` know: all of it is recorded or derived, so deciding again gives the same. */
export interface Context<Prepared = undefined> {
  /** The command's id. */
  readonly id: string;
  /** The later of the server's clock and the newest time it has seen in the log; milliseconds since the Unix epoch. */
  readonly time: number;
  /** The `actor` that `execute` was given. */
  readonly actor: string | undefined;
  /** What `prepare` returned. */
  readonly prepared: Prepared;
  /** An id for something new, derived from the command's id: the same again when the command is decided again. */
  newId(): string;
}

/** What `prepare` knows. */
export interface PrepareContext {
  /** The command's id. Give it to a provider as its key for doing a thing only once. */
  readonly id: string;
  readonly actor: string | undefined;
  /** Aborts when no caller waits any more, or the application closes. */
  readonly signal: AbortSignal;
}

/** A command. Made by `domain(…).command(…)`. */
export interface Command<Name extends string, Input, Reason extends string, Event> {
  readonly name: Name;
  /** Only a type: input and result. */
  readonly $?: { readonly input: Input; readonly reason: Reason; readonly event: Event };
}

// eslint-disable-next-line typescript/no-explicit-any -- a command of any input and events
export type AnyCommand = Command<string, any, string, any>;

type DeclaredFailure<E, Type extends string> = Type extends keyof E
  ? E[Type] extends { reason: infer Reason extends string }
    ? Failure<Reason>
    : Failure
  : Failure;

/** Marks at compile time a failure type that the domain declares and the command doesn't name, or that has no `reason`. */
export type NamedFailure<E, Type extends string> = string extends keyof E
  ? unknown // Types made at run time: their names aren't known.
  : Type extends keyof E
    ? E[Type] extends { reason: string }
      ? { readonly failureType: Type }
      : { readonly '~the event of a failure needs a field reason, a string': Type }
    : unknown;

/**
 * What `command()` returns: no command where `decide` may return an empty array. (A mark among the options would be found one
 * line earlier, and cost three quarters more of the whole type check.)
 */
export type CommandOf<D, Made> = 0 extends 1 & D
  ? Made // `any` can't be checked.
  : [Extract<D, readonly []>] extends [never]
    ? Made
    : { readonly '~decide returns no event: return nothing() where there is nothing to do': D };

/** What `decide` may return: an event, several, a failure (with a declared reason, if the domain declares them), or nothing. */
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
   * The place for calls to the outside world; runs before the queue. If it throws, so does `execute`, and nothing is recorded.
   * While it runs, the same command sent again in this process waits for its result. Sent again later, `prepare` runs again
   * with the same `context.id`, unless the command had an outcome (docs/how-to/outside-world.md).
   */
  readonly prepare?: (
    input: StandardSchemaV1.InferOutput<Schema>,
    context: PrepareContext,
  ) => Prepared | PromiseLike<Prepared>;
  /** The documents that the decision depends on: refs in an object, or a generator. */
  readonly reads?: (input: StandardSchemaV1.InferOutput<Schema>, context: Context<Prepared>) => R;
  /** Pure and synchronous: an event, several, a failure, or `nothing()`. */
  readonly decide: (
    documents: Documents<R>,
    input: StandardSchemaV1.InferOutput<Schema>,
    context: Context<Prepared>,
  ) => D;
  /**
   * The type of a failure's event. `NAME_FAILED` if not given; then no event of the domain may have that name. A declared type
   * must have a field `reason`.
   */
  readonly failureType?: FailureType;
  /** The id fields of a failure's event; by default the input's top-level fields that a collection's key names. */
  readonly about?: (input: StandardSchemaV1.InferOutput<Schema>) => About;
}

/** Fields that hold ids. A failure's event has the other names itself. */
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

export function defineCommand(name: string, options: unknown, domain: DomainDefinition): AnyCommand {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Command ${JSON.stringify(name)}: ${problem}.`, { command: String(name) });
  };
  const fault = nameFault(name) ?? (name.startsWith('$') ? 'must not begin with $' : undefined);
  if (fault) wrong(`the name ${fault}`);
  if (typeof options !== 'object' || options === null) wrong('needs { input, decide }');
  const of = `Command ${JSON.stringify(name)}`;
  const given = optionsOf<UntypedCommandOptions>(of, options, COMMAND, InvalidDefinition, NEEDED);
  const failureType = given.failureType === undefined ? `${name}_FAILED` : given.failureType;
  const typeFault = nameFault(failureType) ?? (failureType.startsWith('$') ? 'must not begin with $' : undefined);
  if (typeFault) wrong(`failureType ${typeFault}`);
  if (given.failureType === undefined && domain.events.has(failureType)) {
    wrong(
      `its failures would be stored as ${failureType}, which is an event of the domain. Write failureType: '${failureType}' if that event is the refusal (with a field reason), or give failures another name by failureType`,
    );
  }
  const renamed = domain.events.has(failureType) ? undefined : domain.stored.get(failureType);
  if (renamed) {
    const hint =
      given.failureType === undefined
        ? `Write failureType: '${renamed.type}', or another name`
        : 'Give it another name';
    wrong(
      `its failures would be stored as ${failureType}, which is a former name of the event ${renamed.type}. ${hint}`,
    );
  }
  const optional = { prepare: undefined, reads: undefined, about: undefined };
  const found: CommandDefinition = { ...optional, ...given, name, failureType, domain };
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
