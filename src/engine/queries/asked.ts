/** What users ask, and what they get: types alone, so that a program that compiles against them needs no types of Node. */
import type { Document } from '../reading/document.ts';
import type { Cursor, OrderBy, Where } from './where-types.ts';

/** Which documents, and how new they must be. */
export interface Asked<State> {
  /** All if not given. */
  readonly where?: Where<State>;
  /**
   * What must be in the documents that are looked at. If not given, everything that this application has been told of: outcomes
   * of its own commands. A position: everything up to it. `false`: nothing, it takes what is there.
   */
  readonly fresh?: boolean | number | undefined;
  /** Ends it: the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Which documents, in which order, and how many. */
export interface Listed<State> extends Asked<State> {
  /** By `$id` if not given. */
  readonly orderBy?: OrderBy<State>;
  /**
   * The most documents; 50 if not given, and at most 1,000. A page has fewer where their states are more than 16 MB together, as
   * UTF-8, or where documents moved away while it was read: `next` says whether there are more.
   */
  readonly limit?: number | undefined;
}

export interface FindOptions<State> extends Listed<State> {
  /** Goes on where a page of the same query ended: its `next`. */
  readonly after?: Cursor | undefined;
}

export type CountOptions<State> = Asked<State>;
export type ListOptions<State> = Asked<State>;

/** Of a page, `signal` belongs to the third argument. */
export type WatchQuery<State> = Omit<Listed<State>, 'signal' | 'fresh'>;
export type WatchOptions = Pick<Asked<never>, 'fresh' | 'signal'>;

/** What a query found. */
export interface Page<State> {
  readonly documents: readonly Document<State>[];
  /** Where the list goes on; undefined at its end. Pass it as `after`, with the same collection, `where` and `orderBy`. */
  readonly next: Cursor | undefined;
  /**
   * The position that the documents are as of: all events up to there are in them. If documents changed while many were looked
   * at, some may be newer. Even so no document comes twice, and one that belongs to the page throughout is in it; unless more than
   * 10,000 events came in while it was read by an index: then it may lack some of those that have moved.
   */
  readonly position: number;
}
