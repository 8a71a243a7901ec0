/**
 * Stored documents: what reduction has made of the log. All documents of a set are as of one place in the log: a set is a fold
 * of all events up to there, no document of it lacks any and none has more (law 6). Documents without an event aren't in it.
 *
 * A store knows nothing of reducers, of queries or of the order of values. It keeps documents by id, and index entries by keys
 * that the engine has made, which are compared byte by byte.
 */
import type { LogPoint } from './facts.ts';

/**
 * Begins the hash of a place that a server has marked, and 32 hexadecimal digits of its own follow: it makes the set from far
 * behind, and nobody reads it then; or it has mended documents there that had failed. No hash of the chain begins so.
 */
export const PLACE_MARK = 'f'.repeat(32);

/** A document of a set. */
export interface StoredDocument {
  readonly id: string;
  /** 0 only for one that couldn't be folded to its first version. */
  readonly version: number;
  /** The version that its last handled event made; 0 if there is none. */
  readonly changed: number;
  /** JSON text, given back as it was stored. */
  readonly state: string;
  /** Why it couldn't be folded further than this version. It stays there while its set moves on, and has no index entries. */
  readonly failed?: string | undefined;
}

/** Moves a set on from one place to a later one. */
export interface SetStep {
  readonly set: number;
  /** The registry's generation that it was made by: entries for all indexes of the set that are registered there. */
  readonly generation: number;
  /** Where the set is. Position 0, with 64 zeros, for a new one. */
  readonly from: LogPoint;
  /**
   * Where it is then: an end of the log that the log holds, or a position within a commit, with the hash of the last whole one. May
   * be the same as `from`. Instead of the hash there may be a mark ({@link PLACE_MARK}).
   */
  readonly to: LogPoint;
  /**
   * An end of the log that its maker has seen: none of the events that the step was made of comes after it, and `to` isn't beyond it.
   * So a copy that lags, to which the connection has gone over meanwhile, stores nothing of events that it doesn't hold.
   */
  readonly seen: LogPoint;
  /** Documents as they are then (or later, while the set is marked), each once; those that aren't given stay as they are. At most {@link STEP_DOCUMENTS_MAX}. */
  readonly documents: readonly StoredDocument[];
  /** Entries that go. One that isn't there is no error. */
  readonly dropped: readonly IndexKey[];
  /** Entries that come, after the others have gone. One that is there already is no error. */
  readonly added: readonly IndexEntry[];
}

export interface IndexKey {
  readonly index: number;
  readonly key: Uint8Array;
}

/**
 * In an index each key is there once. It ends with the document's id, so two documents never have the same. The engine gives a document
 * at most one entry in an index: no store refuses a second one, and `check` finds it.
 */
export interface IndexEntry extends IndexKey {
  readonly id: string;
}

/**
 * What became of a step. If it wasn't stored, the first of these that is so: `diverged`, if the log doesn't hold `seen`, or `to` is beyond
 * it; `behind`, if the registry has another generation, or no such set; `moved`, if the set isn't at `from`.
 */
export type Stepped = 'stored' | 'diverged' | 'behind' | 'moved';

/** Documents of a set by their ids. */
export interface IdsRange {
  readonly set: number;
  /** Each once. At most {@link STEP_DOCUMENTS_MAX}. */
  readonly ids: readonly string[];
}

/** Documents of a set in the order of keys. */
export interface KeyRange {
  readonly set: number;
  /** A live index of the set. Without it, the key of a document is its id (UTF-8 bytes), and failed documents are left out. */
  readonly index?: number | undefined;
  /** Keys from here on (inclusive). */
  readonly from?: Uint8Array | undefined;
  /** Keys below this one. */
  readonly below?: Uint8Array | undefined;
  /** From the last to the first. */
  readonly reverse?: boolean | undefined;
  /** At most the smaller of it and {@link PAGE_ROWS_MAX} are returned. */
  readonly limit: number;
  /** Only those that couldn't be folded further; without an index. */
  readonly failed?: boolean | undefined;
}

export interface StoredPage {
  /** The place that the documents are as of. */
  readonly place: LogPoint;
  /** Of ids: those that are there, in any order, also failed ones, as far as there is room. */
  readonly documents: readonly StoredDocument[];
  /**
   * Whether there are more in the range than were returned: at most {@link PAGE_BYTES_MAX} of states are, and at least one document
   * if there is any. Of ids: those that weren't returned then must be asked for again.
   */
  readonly more: boolean;
}

/** Entries of the documents of a page, in the order of ids, for an index that is being filled. */
export interface IndexedPage {
  readonly index: number;
  /** Where filling has come to, and where it comes to: ids; undefined at the beginning. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly entries: readonly IndexEntry[];
  /** Whether it is live then. The generation is raised. */
  readonly live: boolean;
}

/** The part of a session that keeps stored documents. */
export interface Storing {
  /**
   * Moves a set on, in one transaction: nothing if the set isn't where it is said to be, so any number of servers may do this side
   * by side. It needn't be on stable storage when the answer comes: after a crash a set may be back at an earlier place, with all
   * its documents as they were there.
   */
  advance(step: SetStep): Promise<Stepped>;

  /** Documents of a set, all as of one place; undefined if no such set is registered, or no such live index of it. */
  stored(range: IdsRange | KeyRange): Promise<StoredPage | undefined>;
}
