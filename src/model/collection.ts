/** Collections: a kind of document, and how events become one. */
import { InvalidDefinition, ReducerFailed } from '../errors.ts';
import { anything, optionsOf, whole, type Checks } from '../options.ts';
import { isPromise, markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { AnyEvent, AsJson, DomainDefinition, EventFrom, Frozen } from './event.ts';
import { nameFault } from './id.ts';
import { thrown } from './foreign.ts';
import { describeFault, keptCopy } from './json.ts';
import { defineKey, keyFor, type AttachedTypes, type KeyDefinition } from './key.ts';
import { refTo, type Ref } from './reads.ts';

/** What a reducer knows besides state and event. Position and version aren't known yet: append gives them. */
export interface Meta {
  /** The document's id: one event may be attached to two documents of a collection (buyer and seller). */
  readonly id: string;
  /** When the event was decided, in milliseconds since the Unix epoch. */
  readonly time: number;
}

/** A kind of document. Made by `domain(…).collection(…)`. */
export interface Collection<Name extends string, State> {
  readonly name: Name;
  /** Asks for a document, in a command's `reads`. @throws InvalidInput if the id isn't valid */
  ref(id: string): Ref<State>;
}

// eslint-disable-next-line typescript/no-explicit-any -- a collection of any state
export type AnyCollection = Collection<string, any>;

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
  /** Where the ids are: a field's name, several, or a map from event type to fields, paths or a function. */
  readonly key: K;
  /** The state before the first event: a plain JSON value, or a function of the id. */
  readonly initial: State | ((id: string) => State);
  /** A pure function for each event type that changes the state. */
  readonly reduce: R & ExactReducers<R, State, E, K>;
  /**
   * Raise it when the key or the meaning of the reducers changes, but not for event types that the log has never held
   * (docs/how-to/releases.md). 1 if not given.
   */
  readonly definition?: number;
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
  readonly handled: ReadonlySet<string>;
  readonly initial: (id: string) => Initial;
  readonly reduce: ReadonlyMap<string, Reducer>;
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
  const fault = nameFault(name);
  if (fault) wrong(`the name ${fault}`);
  if (typeof given !== 'object' || given === null) wrong('needs { key, initial, reduce }');
  const options = optionsOf<UntypedCollectionOptions>(`Collection ${JSON.stringify(name)}`, given, COLLECTION);
  const { reduce, definition = 1 } = options;
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
    if (keyFor(key.declared, type) === undefined)
      wrong(
        `reduce has ${type}, but the key has nothing for it, so that reducer would never run. Add ${type} to the key: { ${type}: 'the field that holds the id' }`,
      );
  }
  const found: CollectionDefinition = {
    name,
    definition,
    key,
    handled: new Set(reducers.keys()),
    initial: defineInitial(name, options.initial, wrong),
    reduce: reducers,
    domain,
  };
  return Object.freeze(brand({ name, ref: (id: string) => refTo<unknown>(name, id) }, MARK, found));
}

/** As given; they are checked together with the domain. */
interface UntypedCollectionOptions {
  readonly key: unknown;
  readonly initial: unknown;
  readonly reduce: unknown;
  readonly definition?: number;
}

const COLLECTION: Checks<UntypedCollectionOptions> = {
  key: anything,
  initial: anything,
  reduce: anything,
  definition: whole(1),
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
