/** What queries need of an application. */
import type { CollectionDefinition } from '../../model/collection.ts';
import type { LogPoint, Session } from '../../store/store.ts';
import type { Outage } from '../outage.ts';
import type { Runtime } from '../runtime.ts';
import type { IndexFields } from './sort-key.ts';

export interface Queried {
  /**
   * The set that documents of a collection are stored in, and its live indexes. Waits until it is ready. Asked again when the store
   * didn't know the set any more.
   *
   * @throws Rebuilding after a bound
   */
  setOf(collection: CollectionDefinition): Promise<QueriedSet>;
  /** The indexes that the collection's code names: their fields are known, also before any document has them. */
  indexesOf(collection: CollectionDefinition): readonly (readonly string[])[];
  readonly stored: Session['stored'];
  /** Resolves when the set is at this position or later. @throws after a bound */
  reached(collection: CollectionDefinition, position: number, signal?: AbortSignal): Promise<void>;
  /** The position of what this application has been told of: its own outcomes. */
  told(): number;
  /**
   * Resolves when the set may have moved on from this place, or another has taken its place. Leaves nothing behind when the signal
   * aborts.
   */
  moved(collection: CollectionDefinition, from: SetPlace, signal: AbortSignal): Promise<void>;
  /**
   * The ids of documents that have moved on after one position, up to another; undefined if these are too far apart
   * (TOUCHED_EVENTS_MAX).
   */
  touched(collection: CollectionDefinition, after: number, upTo: number): Promise<ReadonlySet<string> | undefined>;
  readonly runtime: Pick<Runtime, 'elapsed' | 'turn' | 'sleep'>;
  /** How watchers wait for a store that can't be reached. */
  readonly outage: Pick<Outage, 'answered' | 'sitOut'>;
  /** Aborts with `Closed`. */
  readonly closing: AbortSignal;
}

/** Where a set was when it was looked at. */
export interface SetPlace {
  readonly set: number;
  readonly place: LogPoint;
}

export interface QueriedSet {
  readonly set: number;
  readonly indexes: readonly IndexFields[];
}
