/** Collections: a kind of document, and how events become one. */
import { InvalidDefinition, InvalidInput, ReducerFailed } from '../errors.ts';
import { anything, optionsOf, whole, type Checks } from '../options.ts';
import { isPromise, markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import { documentId } from './document-id.ts';
import { storedName, type AnyEvent, type AsJson, type DomainDefinition, type EventFrom, type Frozen } from './event.ts';
import { collectionNameFault } from './id.ts';
import { reading, thrown } from './foreign.ts';
import { describeFault, keptCopy } from './json.ts';
import { indexesOption, type IndexDefinitions, type Indexes } from './indexes.ts';
import { defineKey, mayAttach, type KeyDefinition } from './key.ts';
import type { AttachedTypes, FittingTemplates } from './key-types.ts';
import { refTo, type Ref } from './reads.ts';

/** What a reducer knows besides state and event. Position and version aren't known yet: append gives them. */
export interface Meta {
  /** The document's id: one event may be attached to two documents of a collection (buyer and seller). */
  readonly id: string;
  /** When the event was decided, in milliseconds since the Unix epoch. */
  readonly time: number;
}

/**
 * A kind of document. Made by `domain(…).collection(…)`. `Fields` are those that a template of its key makes the id of; never
 * where it has no template.
 */
export interface Collection<Name extends string, State, Fields = never> {
  readonly name: Name;
  /**
   * Asks for a document, in a command's `reads`: by its id, or by the fields of the key's template, `days.ref({ room_id, day })`.
   *
   * @throws InvalidInput if the id isn't valid, or the fields aren't those of a template
   */
  ref(id: string | Fields): Ref<State>;
}

// eslint-disable-next-line typescript/no-explicit-any -- a collection of any state
export type AnyCollection = Collection<string, any>;

/** The fields of a template that a collection makes ids of; never where its key has no template. */
export type FieldsOf<C> = C extends Collection<string, infer _, infer Fields> ? Fields : never;

/** What identifies a document of a collection: its id, or the fields of a template of the collection's key. */
export type IdOf<C> = string | FieldsOf<C>;

export type ReducersOf<E, State> = {
  [T in keyof E]?: (state: Frozen<State>, event: EventFrom<E, T>, meta: Meta) => Frozen<State>;
};

type KeysOfAny<T> = T extends unknown ? keyof T : never;

/** Marks reducers that never run, as the key attaches no event of their type, and results with fields that the state lacks. */
export type ExactReducers<R, State, E, K> = {
  [T in keyof R]: T extends AttachedTypes<E, K>
    ? // eslint-disable-next-line typescript/no-explicit-any
      R[T] extends (...args: any) => infer Result
      ? 0 extends 1 & Result
        ? unknown // `any` can't be checked.
        : [Exclude<KeysOfAny<Result>, KeysOfAny<State>>] extends [never]
          ? unknown
          : (...args: never[]) => { [K in Exclude<KeysOfAny<Result>, KeysOfAny<State>>]: 'not a field of the state' }
      : unknown
    : '~the key attaches no event of this type: the reducer would never run';
};

/** What `collection()` is given. */
export type CollectionOptions<E, State, R, K> = {
  /** Where the ids are: a field's name, a template, several, or a map from event type to fields, paths, templates or a function. */
  readonly key: K & FittingTemplates<E, K>;
  /** The state before the first event: a plain JSON value, or a function of the id. */
  readonly initial: State | ((id: string) => State);
  /** A pure function for each event type that changes the state. */
  readonly reduce: R & ExactReducers<R, State, E, K>;
  /**
   * Raise it when the key or the meaning of the reducers changes, but not for event types that the log has never held
   * (docs/how-to/releases.md). 1 if not given.
   */
  readonly definition?: number;
  /** The fields of the state that documents are found by quickly: for each index a path (`'price'`), or several in their order. */
  readonly indexes?: NoInfer<Indexes<State>>;
} & (State extends AsJson<State> ? unknown : { readonly initial: AsJson<State> });

/** A reducer, whatever its types. */
export type Reducer = (state: unknown, event: AnyEvent, meta: Meta) => unknown;

/** A document's state before its first event, and its bytes: 0 where all documents share it. */
export interface Initial {
  readonly state: unknown;
  readonly bytes: number;
}

/** What the engine knows of a collection. */
export interface CollectionDefinition {
  readonly name: string;
  readonly definition: number;
  readonly key: KeyDefinition;
  /** The event types that its reducers handle, by the names under which they are stored. */
  readonly handled: ReadonlySet<string>;
  readonly initial: (id: string) => Initial;
  /** By event types as code calls them. */
  readonly reduce: ReadonlyMap<string, Reducer>;
  /** The paths of each index: equal definitions have equal JSON texts. */
  readonly indexes: IndexDefinitions;
  /** All collections and commands of a domain hold the same object. */
  readonly domain: DomainDefinition;
}

const MARK = markOf('collection');

/** The definition behind a collection; undefined if `domain(…).collection` didn't make it. @throws see {@link brandOf} */
export function findCollection(collection: unknown): CollectionDefinition | undefined {
  return brandOf(collection, MARK) as CollectionDefinition | undefined;
}

/** The definition behind a collection. @throws InvalidDefinition if `domain(…).collection` didn't make it */
export function collectionDefinition(collection: unknown): CollectionDefinition {
  const found = findCollection(collection);
  if (found) return found;
  throw new InvalidDefinition('Not a collection: pass what domain(…).collection(…) returned.');
}

export function defineCollection(name: string, given: unknown, domain: DomainDefinition): AnyCollection {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Collection ${JSON.stringify(name)}: ${problem}.`, { collection: String(name) });
  };
  const fault = collectionNameFault(name);
  if (fault) wrong(`the name ${fault}`);
  if (typeof given !== 'object' || given === null) wrong('needs { key, initial, reduce }');
  const options = optionsOf<UntypedCollectionOptions>(`Collection ${JSON.stringify(name)}`, given, COLLECTION);
  const { reduce, indexes = [], definition = 1 } = options;
  if (typeof reduce !== 'object' || reduce === null)
    wrong('reduce must be an object of reducers: { TYPE: (state, event) => state }');
  const reducers = new Map<string, Reducer>();
  for (const [type, reducer] of Object.entries(reduce as object)) {
    if (!domain.events.has(type))
      wrong(`reduce names the event type ${JSON.stringify(type)}, which the domain doesn't have`);
    if (reducer === undefined) continue;
    if (typeof reducer !== 'function') wrong(`the reducer of ${type} must be a function`);
    reducers.set(type, reducer as Reducer);
  }
  const key = defineKey(name, options.key, domain.events);
  for (const type of reducers.keys()) {
    if (!mayAttach(key.declared, domain.events.get(type)!))
      wrong(
        `reduce has ${type}, but the key has nothing for it, so that reducer would never run. Add ${type} to the key: { ${type}: 'the field that holds the id' }`,
      );
  }
  const found: CollectionDefinition = {
    name,
    definition,
    key,
    handled: new Set(Array.from(reducers.keys(), (type) => storedName(domain, type))),
    initial: defineInitial(name, options.initial, wrong),
    reduce: reducers,
    indexes,
    domain,
  };
  return Object.freeze(brand({ name, ref: (id: unknown) => refTo<unknown>(name, idOf(found, id)) }, MARK, found));
}

/** An id is checked once, where the ref is made. */
function idOf(collection: CollectionDefinition, given: unknown): string {
  if (typeof given !== 'object') return given as string;
  return reading(`${collection.name}.ref`, () => documentId(collection, given), InvalidInput);
}

/** As given; they are checked together with the domain. */
interface UntypedCollectionOptions {
  readonly key: unknown;
  readonly initial: unknown;
  readonly reduce: unknown;
  readonly definition?: number;
  readonly indexes?: IndexDefinitions;
}

const COLLECTION: Checks<UntypedCollectionOptions> = {
  key: anything,
  initial: anything,
  reduce: anything,
  definition: whole(1),
  indexes: indexesOption,
};

function defineInitial(
  collection: string,
  initial: unknown,
  wrong: (problem: string) => never,
): (id: string) => Initial {
  if (typeof initial === 'function') {
    return (id) => {
      let state: unknown;
      try {
        state = (initial as (id: string) => unknown)(id);
      } catch (cause) {
        throw new ReducerFailed(
          `The initial state of ${collection} ${id} threw ${thrown(cause)}.`,
          { collection, id },
          cause,
        );
      }
      const copied = isPromise(state) ? { fault: { path: '', problem: 'a promise is not JSON' } } : keptCopy(state);
      if ('copy' in copied) return { state: copied.copy, bytes: copied.bytes };
      throw new ReducerFailed(
        `The initial state of ${collection} ${id} is not plain JSON: ${describeFault(copied.fault)}.`,
        { collection, id },
      );
    };
  }
  // A copy, so that the caller's own object isn't frozen.
  const copied = keptCopy(initial);
  if ('fault' in copied) return wrong(`initial must be plain JSON: ${describeFault(copied.fault)}`);
  const shared: Initial = { state: copied.copy, bytes: 0 };
  return () => shared;
}
