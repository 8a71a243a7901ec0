/** Documents as users read them. */
import type { ReducerFailed, UpcastFailed } from '../../errors.ts';
import type { Frozen } from '../../model/event.ts';
import type { Folded } from '../../model/reduce.ts';
import type { Read } from '../../model/reads.ts';

/** One object of a collection, at a version. */
export interface Document<State> extends Read<State> {
  readonly collection: string;
  readonly id: string;
  /** How many events have been attached to it. */
  readonly version: number;
  /** The version that its last handled event made: up to there `state` may have changed. 0 if it doesn't exist. */
  readonly changed: number;
  readonly exists: boolean;
  readonly state: Frozen<State>;
}

/**
 * The documents of a collection, by id. Those that couldn't be folded are among them, so that nobody takes the others for
 * all: what is known without a reducer (`version`, `changed`, `exists`) is right, and reading `state` throws what failed.
 */
export interface FoldedDocuments<State> extends ReadonlyMap<string, Document<State>> {
  /** Why, by id: what a reducer, an upcast or a function for the initial state went wrong with. */
  readonly failed: ReadonlyMap<string, ReducerFailed | UpcastFailed>;
}

/** A document whose state can't be told. */
export function failedDocument(
  collection: string,
  id: string,
  { version, changed }: Pick<Folded, 'version' | 'changed'>,
  error: ReducerFailed | UpcastFailed,
): Document<unknown> {
  const known = { collection, id, version, changed, exists: changed > 0 };
  const state = (): never => {
    throw error;
  };
  return Object.freeze(Object.defineProperty(known, 'state', { get: state, enumerable: true })) as Document<unknown>;
}

export function documentOf(
  collection: string,
  id: string,
  { version, changed, state }: Omit<Folded, 'bytes'>,
): Document<unknown> {
  return Object.freeze({ collection, id, version, changed, exists: changed > 0, state: state as never });
}
