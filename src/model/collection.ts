/** Collections: a kind of document, and how events become one. */
import { InvalidDefinition, ReducerFailed } from '../errors.ts';
import type { AnyEvent, AsJson, EventFrom, Frozen } from './event.ts';
import { nameFault } from './id.ts';
import { isPromise, thrown } from './foreign.ts';
import { describeFault, freezeJson, jsonFault } from './json.ts';
import { defineKey, type Key, type KeyDefinition } from './key.ts';
import { refTo, type Ref } from './reads.ts';

/** What a reducer knows besides state and event. Not position or version: those are given at append. */
export interface Meta {
  /** The document's id: tells a document that one event is attached to twice over (buyer and seller) which it is. */
  readonly id: string;
  /** When the event was decided, in milliseconds since the Unix epoch. */
  readonly time: number;
}

/** A kind of document. Made by `domain(…).collection(…)`. */
export interface Collection<Name extends string, State> {
  readonly name: Name;
  /** Asks for a document, in a command's `reads`. @throws InvalidInput if the id is none */
  ref(id: string): Ref<State>;
}

// eslint-disable-next-line typescript/no-explicit-any -- a collection of any state
export type AnyCollection = Collection<string, any>;

export type ReducersOf<E, State> = {
  [T in keyof E]?: (state: Frozen<State>, event: EventFrom<E, T>, meta: Meta) => Frozen<State>;
};

type KeysOfAny<T> = T extends unknown ? keyof T : never;

/** Marks reducers whose result has fields that the state doesn't: TypeScript alone lets them pass. */
export type ExactReducers<R, State> = {
  // eslint-disable-next-line typescript/no-explicit-any
  [T in keyof R]: R[T] extends (...args: any) => infer Result
    ? 0 extends 1 & Result
      ? unknown // `any`: nothing is known, so nothing can be said against it.
      : [Exclude<KeysOfAny<Result>, KeysOfAny<State>>] extends [never]
        ? unknown
        : (...args: never[]) => { [K in Exclude<KeysOfAny<Result>, KeysOfAny<State>>]: 'not a field of the state' }
    : unknown;
};

/** What `collection()` is given. */
export type CollectionOptions<E, State, R> = {
  /** Where the ids are: a field's name, several, or a map from event type to fields, paths or a function. */
  readonly key: Key<E>;
  /** The state before the first event: a plain JSON value, or a function of the id. */
  readonly initial: State | ((id: string) => State);
  /** A pure function for each event type that changes the state. */
  readonly reduce: R & ExactReducers<R, State>;
  /**
   * Raised when the key or the meaning of the reducers changes; not for event types that the log has never held
   * (docs/releases.md). 1 if not given.
   */
  readonly definition?: number;
} & (State extends AsJson<State> ? unknown : { readonly initial: AsJson<State> });

/** A reducer, whatever its types. */
export type Reducer = (state: unknown, event: AnyEvent, meta: Meta) => unknown;

/** What the engine knows of a collection. */
export interface CollectionDefinition {
  readonly name: string;
  readonly definition: number;
  readonly key: KeyDefinition;
  readonly handled: ReadonlySet<string>;
  readonly initial: (id: string) => unknown;
  readonly reduce: ReadonlyMap<string, Reducer>;
  /** The domain it belongs to: the identity of its event types. */
  readonly domain: object;
}

const definitions = new WeakMap<object, CollectionDefinition>();

/** The definition behind a collection. @throws InvalidDefinition if `domain(…).collection` didn't make it */
export function collectionDefinition(collection: unknown): CollectionDefinition {
  const found = typeof collection === 'object' && collection !== null ? definitions.get(collection) : undefined;
  if (found) return found;
  throw new InvalidDefinition('Not a collection: pass what domain(…).collection(…) returned.');
}

/** Checks a collection's options and makes it. */
export function defineCollection(
  name: string,
  options: { key: unknown; initial: unknown; reduce: unknown; definition?: number },
  domain: { readonly types: ReadonlyMap<string, unknown>; readonly identity: object },
): AnyCollection {
  const wrong = (problem: string): never => {
    throw new InvalidDefinition(`Collection ${JSON.stringify(name)}: ${problem}.`, { collection: String(name) });
  };
  const fault = nameFault(name);
  if (fault) wrong(`the name ${fault}`);
  if (typeof options !== 'object' || options === null) wrong('needs { key, initial, reduce }');
  const { reduce, definition = 1 } = options;
  if (!Number.isSafeInteger(definition) || definition < 1) wrong('definition must be a whole number from 1');
  if (typeof reduce !== 'object' || reduce === null)
    wrong('reduce must be an object of reducers: { TYPE: (state, event) => state }');
  const reducers = new Map<string, Reducer>();
  for (const [type, reducer] of Object.entries(reduce as object)) {
    if (!domain.types.has(type))
      wrong(`reduce names the event type ${JSON.stringify(type)}, which the domain doesn't have`);
    if (reducer === undefined) continue;
    if (typeof reducer !== 'function') wrong(`the reducer of ${type} must be a function`);
    reducers.set(type, reducer as Reducer);
  }
  const made: AnyCollection = Object.freeze({ name, ref: (id: string) => refTo<unknown>(name, id) });
  definitions.set(made, {
    name,
    definition,
    key: defineKey(name, options.key, domain.types),
    handled: new Set(reducers.keys()),
    initial: defineInitial(name, options.initial, wrong),
    reduce: reducers,
    domain: domain.identity,
  });
  return made;
}

function defineInitial(
  collection: string,
  initial: unknown,
  wrong: (problem: string) => never,
): (id: string) => unknown {
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
      const fault =
        state === undefined || isPromise(state)
          ? { path: '', problem: state === undefined ? 'undefined is not JSON' : 'a promise is not JSON' }
          : freezeJson(state);
      if (!fault) return state;
      throw new ReducerFailed(`The initial state of ${collection} ${id} is not plain JSON: ${describeFault(fault)}.`, {
        collection,
        id,
      });
    };
  }
  const fault = jsonFault(initial);
  if (fault) wrong(`initial must be plain JSON: ${describeFault(fault)}`);
  // A copy: freezing the caller's own object would be a surprise.
  const state: unknown = JSON.parse(JSON.stringify(initial));
  freezeJson(state);
  return () => state;
}
