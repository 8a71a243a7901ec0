/** Documents as users read them. */
import type { Frozen } from '../model/event.ts';
import type { Folded } from '../model/reduce.ts';
import type { Read } from '../model/reads.ts';

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

export function documentOf(collection: string, id: string, { version, changed, state }: Folded): Document<unknown> {
  return Object.freeze({ collection, id, version, changed, exists: changed > 0, state: state as never });
}
