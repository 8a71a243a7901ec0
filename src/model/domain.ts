/** A domain: the event types of one application, and what is defined over them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidDefinition } from '../errors.ts';
import { anything, optionsOf } from '../options.ts';
import { defineCollection, type Collection, type CollectionOptions, type ReducersOf } from './collection.ts';
import {
  defineCommand,
  type Command,
  type CommandOf,
  type CommandOptions,
  type DecidedEvent,
  type DecisionOf,
  type NamedFailure,
  type ReasonOf,
} from './command.ts';
import {
  defineEvents,
  type AsJson,
  type DomainDefinition,
  type EventFrom,
  type PlainSchemas,
  type ShapesOf,
} from './event.ts';
import { reading } from './foreign.ts';
import type { IdFields, Key } from './key-types.ts';
import type { Reads } from './reads.ts';

/** The event types of an application. Made by {@link domain}. */
export interface Domain<E> {
  /**
   * Defines a kind of document.
   *
   * @param name unique in the domain; stored, so keep it
   * @throws InvalidDefinition if a name, key, initial state or reducer isn't what it must be
   */
  collection<const Name extends string, const K extends Key<E>, State, R extends ReducersOf<E, State>>(
    name: Name,
    options: CollectionOptions<E, State, R, K>,
  ): Collection<Name, State, IdFields<K>>;

  /**
   * Defines a command. Give the options in this order: types flow from each to the next.
   *
   * @param name unique in the domain; stored with every commit
   * @throws InvalidDefinition if a name, schema or function isn't what it must be
   */
  command<
    const Name extends string,
    Schema extends StandardSchemaV1,
    const D extends DecisionOf<E, FailureType>,
    Prepared = undefined,
    // eslint-disable-next-line typescript/no-empty-object-type
    R extends Reads = {},
    const FailureType extends string = `${Name}_FAILED`,
  >(
    name: Name,
    options: CommandOptions<Schema, Prepared, R, D, FailureType> & PlainInput<Schema> & NamedFailure<E, FailureType>,
  ): CommandOf<D, Command<Name, StandardSchemaV1.InferInput<Schema>, ReasonOf<D>, DecidedEvent<E, D>>>;
}

/** Marks at compile time an input that isn't plain JSON: no caller could send it. */
type PlainInput<Schema extends StandardSchemaV1> =
  StandardSchemaV1.InferInput<Schema> extends AsJson<StandardSchemaV1.InferInput<Schema>>
    ? unknown
    : { readonly input: { '~not plain JSON': AsJson<StandardSchemaV1.InferInput<Schema>> } };

/** The events of a domain, or those of one type: `EventOf<typeof market, 'SERVICE_BOUGHT'>`. */
export type EventOf<D, T extends string = string> =
  D extends Domain<infer E> ? (string extends T ? EventFrom<E> : EventFrom<E, T & keyof E>) : never;

/**
 * Defines the events of an application.
 *
 * @param options `events`: for each type a Standard Schema of its fields (Zod, Valibot, ArkType, …), `type<T>()`, or
 *   `event(schema, { version, upcast, formerly })`. What is stored is the schema's output, so a schema must be synchronous and
 *   accept its own output. `type` is the only reserved field.
 * @throws InvalidDefinition if a type's name or schema isn't what it must be
 *
 * @example
 * ```ts
 * import { domain, type } from 'tidemark';
 *
 * const bank = domain({
 *   events: {
 *     DEPOSITED: type<{ account_id: string; cents: number }>(),
 *   },
 * });
 * const accounts = bank.collection('accounts', {
 *   key: 'account_id',
 *   initial: { cents: 0 },
 *   reduce: { DEPOSITED: (account, { cents }) => ({ cents: account.cents + cents }) },
 * });
 * ```
 */
export function domain<const Schemas extends Record<string, StandardSchemaV1>>(options: {
  readonly events: Schemas & PlainSchemas<Schemas>;
}): Domain<ShapesOf<Schemas>> {
  const given = optionsOf<{ events: unknown }>('domain()', options, { events: anything });
  const definition: DomainDefinition = Object.freeze(reading('domain()', () => defineEvents(given.events)));
  const names = { collection: new Set<string>(), command: new Set<string>() };
  const define = <Made>(kind: 'collection' | 'command', name: string, make: () => Made): Made => {
    const made = reading(`${kind}()`, make);
    if (names[kind].has(name)) {
      const message = `The domain has a ${kind} ${JSON.stringify(name)} already: give it another name.`;
      throw new InvalidDefinition(message, { [kind]: name });
    }
    names[kind].add(name);
    return made;
  };
  const made = {
    collection: (name: string, options: unknown) =>
      define('collection', name, () => defineCollection(name, options, definition)),
    command: (name: string, options: unknown) =>
      define('command', name, () => defineCommand(name, options, definition)),
  };
  return Object.freeze(made) as unknown as Domain<ShapesOf<Schemas>>;
}
