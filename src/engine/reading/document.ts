/** Documents as users read them. */
import type { ReducerFailed, UpcastFailed } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Folded } from '../../model/reduce.ts';
import type { Read } from '../../model/reads.ts';

/** One object of a collection, at a version. */
export interface Document<State> extends Read<State> {
  readonly collection: string;
  /** The collection's definition that it was folded by: versions are counted by its key. */
  readonly definition: number;
  /** How many events have been attached to it. */
  readonly version: number;
  /** The version that its last handled event made: `state` may have changed up to there. 0 if it doesn't exist. */
  readonly changed: number;
}

/**
 * The documents of a collection, by id. One that couldn't be folded is among them: its `version`, `changed` and `exists` are
 * right, and reading its `state` throws the error.
 */
export interface FoldedDocuments<State> extends ReadonlyMap<string, Document<State>> {
  /** By id, the error of a reducer, an upcast or a function for the initial state. */
  readonly failed: ReadonlyMap<string, ReducerFailed | UpcastFailed>;
}

type Defined = Pick<CollectionDefinition, 'name' | 'definition'>;

/** A document without a readable state. */
export function failedDocument(
  { name: collection, definition }: Defined,
  id: string,
  { version, changed }: Pick<Folded, 'version' | 'changed'>,
  error: ReducerFailed | UpcastFailed,
): Document<unknown> {
  const known = { collection, definition, id, version, changed, exists: changed > 0 };
  const state = (): never => {
    throw error;
  };
  return Object.freeze(Object.defineProperty(known, 'state', { get: state, enumerable: true })) as Document<unknown>;
}

export function documentOf(
  { name: collection, definition }: Defined,
  id: string,
  { version, changed, state }: Omit<Folded, 'bytes'>,
): Document<unknown> {
  return Object.freeze({ collection, definition, id, version, changed, exists: changed > 0, state: state as never });
}
