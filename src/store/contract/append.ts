/** What is appended, and what a store answers. */
import type {
  CommitFacts,
  DocumentEvent,
  DocumentRef,
  DocumentVersion,
  EventFacts,
  LogEnd,
  LogPoint,
} from './facts.ts';
export interface Batch {
  /** The end of the log that the engine last saw. */
  readonly seen: LogPoint;
  /** The registry's generation that the attachments were made by. */
  readonly generation: number;
  /** What the deciding application's reducers handle: collection → event types. The same object from batch to batch. */
  readonly handled: ReadonlyMap<string, ReadonlySet<string>>;
  /** One row for each document: the version of the *stored* document that the batch was decided on. */
  readonly reads: readonly DocumentVersion[];
  /** In order; each may build on those before it. Each command id once. Not empty. */
  readonly commits: readonly Commit[];
}

export interface Commit extends CommitFacts {
  /** In order. Not empty. */
  readonly events: readonly NewEvent[];
  /** Made of the facts and events by `commitDigest`, before the write. */
  readonly digest: string;
  /** What it rests on: rows of the batch's `reads`, by index, each once. Neither hashed nor stored. */
  readonly reads: readonly number[];
}

export interface NewEvent extends EventFacts {
  /** Each document once. */
  readonly attachments: readonly DocumentRef[];
}

export type Appended = Stored | Refused | { readonly status: 'behind' } | { readonly status: 'diverged' };

/** What the log held when the batch came. */
export interface Judged {
  /** The end of the log after what was stored. */
  readonly end: LogEnd;
  /** For each row of `reads` the document's head before the batch: at least the version read. */
  readonly heads: readonly number[];
  /**
   * Every stale document of `reads`, with its head before the batch and the first events above the version read
   * ({@link STALE_EVENTS_MAX} for each, {@link LOAD_EVENTS_MAX} and {@link PAGE_BYTES_MAX} for all: the last documents may
   * have none). Fewer where one is damaged: a `load` of it throws then, and commits that don't rest on it aren't affected.
   */
  readonly stale: readonly StaleDocument[];
  /** Every command id of the batch that has a final outcome. */
  readonly duplicates: readonly string[];
}

export interface StaleDocument extends DocumentRef {
  readonly head: number;
  readonly events: readonly DocumentEvent[];
}

/** At least one commit stands. */
export interface Stored extends Judged {
  readonly status: 'stored';
  /** For each commit of the batch where it was stored; undefined if it fell. */
  readonly commits: readonly (StoredAt | undefined)[];
  /** The version that each attachment of these got: commit by commit, event by event, in the order given. */
  readonly versions: readonly number[];
}

/** The position of a commit's first event, its `recordedAt`, and the chain's hash after it. */
export interface StoredAt {
  readonly position: number;
  readonly recordedAt: number;
  readonly hash: string;
}

/** All of them fell: nothing was stored. */
export interface Refused extends Judged {
  readonly status: 'refused';
}
