/** Folding events into a document (law 4). Pure. */
import { ReducerFailed } from '../errors.ts';
import type { CollectionDefinition, Reducer } from './collection.ts';
import type { AnyEvent } from './event.ts';
import { isPromise } from '../realm.ts';
import { thrown } from './foreign.ts';
import { describeFault, keptCopy, type Copied } from './json.ts';
import type { Twins } from './same-items.ts';
import type { Read } from './reads.ts';

/** A document that has been folded up to a version. */
export interface Folded {
  /** How many events have been attached to it. */
  readonly version: number;
  /** The version that its last handled event made; 0 if there is none: then it doesn't exist. */
  readonly changed: number;
  readonly state: unknown;
  /** The least bytes of its state as JSON; 0 for a state that all documents share before their first event. */
  readonly bytes: number;
}

/** A document before its first event. */
export function unborn(collection: CollectionDefinition, id: string): Folded {
  const { state, bytes } = collection.initial(id);
  return { version: 0, changed: 0, state, bytes };
}

/** What a decision sees of a folded document. */
export function readOf(id: string, { changed, state }: Folded): Read<unknown> {
  return Object.freeze({ id, exists: changed > 0, state: state as never });
}

/**
 * The document after one more event. A type that the collection doesn't handle counts as a version and leaves the state.
 *
 * @throws ReducerFailed if the reducer throws, or returns something that isn't plain JSON
 */
export function reduce(
  collection: CollectionDefinition,
  id: string,
  document: Folded,
  event: AnyEvent,
  time: number,
  lists?: Twins,
): Folded {
  const version = document.version + 1;
  const reducer = collection.reduce.get(event.type);
  if (!reducer) return { version, changed: document.changed, state: document.state, bytes: document.bytes };
  const { copy, bytes } = nextState(collection, id, version, reducer, document.state, event, time, lists);
  return { version, changed: version, state: copy, bytes };
}

/** The state that a reducer makes, frozen; `version` is the one that the event makes. @throws ReducerFailed */
export function nextState(
  collection: CollectionDefinition,
  id: string,
  version: number,
  reducer: Reducer,
  before: unknown,
  event: AnyEvent,
  time: number,
  lists?: Twins,
): Extract<Copied, { copy: unknown }> {
  let state: unknown;
  try {
    state = reducer(before, event, { id, time });
  } catch (cause) {
    throw failed(collection, id, version, event, `threw ${thrown(cause)}`, cause);
  }
  if (state === undefined) throw failed(collection, id, version, event, 'returned undefined: return the state');
  if (isPromise(state)) throw failed(collection, id, version, event, 'returned a promise: it must be synchronous');
  // A copy, so that nobody holds a part of it, and it is the same whenever it is folded again.
  const copied = keptCopy(state, before, lists);
  if ('copy' in copied) return copied;
  const problem = describeFault(copied.fault);
  throw failed(collection, id, version, event, `returned a state that is not plain JSON: ${problem}`);
}

function failed(
  { name }: CollectionDefinition,
  id: string,
  version: number,
  { type }: AnyEvent,
  problem: string,
  cause?: unknown,
): ReducerFailed {
  return new ReducerFailed(
    `The reducer of ${type} in collection ${name} ${problem}. The document ${JSON.stringify(id)} can't be read until it is fixed.`,
    { collection: name, id, version, type },
    cause,
  );
}
