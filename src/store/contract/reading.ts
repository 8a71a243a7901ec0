/** What is read of a log. */
import type {
  CommitFacts,
  DocumentEvent,
  DocumentRef,
  DocumentVersion,
  EventFacts,
  LogEnd,
  LogPoint,
} from './facts.ts';
import type { StoredDocument } from './documents.ts';

export interface LoadRequest extends DocumentRef {
  /** Events above this version are returned. */
  readonly after: number;
  /** Events above this version are not. */
  readonly upTo?: number | undefined;
  /** A set of stored documents: if it holds the document at a later version than `after`, the answer begins there. */
  readonly set?: number | undefined;
}

export interface ForBatch {
  /** A batch waits for it: it goes before other reads that wait. */
  readonly forBatch?: boolean | undefined;
}

export interface LoadOptions extends ForBatch {
  /** Answer as the log was at this position: later events are neither returned nor counted in heads. */
  readonly asOf?: number | undefined;
  /** A point: the answer says whether the log holds it. */
  readonly seen?: LogPoint | undefined;
}

export interface Loaded {
  /** The end of the log that was read at (now, also with `asOf`). */
  readonly end: LogEnd;
  /** Whether the log holds `seen`: a commit that ends there with that hash. True without `seen`. */
  readonly holds: boolean;
  /** The registry's generation when it was read. */
  readonly generation: number;
  /** In the order of the requests. Versions of the events are dense from `after + 1`, or from that of `stored` + 1. */
  readonly documents: readonly LoadedDocument[];
}

export interface LoadedDocument {
  /** Its number in scans; undefined if its head is 0. */
  readonly document: number | undefined;
  readonly head: number;
  /**
   * The document as it is stored in the set asked for: above `after`, not above the head or `upTo`. Its state counts as the text of
   * an event does: without room for it there is none, and no events of the document.
   */
  readonly stored?: StoredDocument | undefined;
  readonly events: readonly DocumentEvent[];
}

/** Positions between `after` and `before`, both exclusive; forward, or backward if `reverse`. */
export interface LogRange {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  readonly types?: readonly string[] | undefined;
  readonly reverse?: boolean | undefined;
  readonly limit: number;
}

/** Versions of one document above `after`. */
export interface DocumentRange {
  readonly document: DocumentRef;
  readonly after: number;
  readonly limit: number;
}

export interface EventPage {
  /** The end of the log that was read at. */
  readonly end: LogEnd;
  /** At most `limit` and {@link PAGE_ROWS_MAX}; fewer by {@link PAGE_BYTES_MAX} or {@link PAGE_ATTACHMENTS_MAX}. */
  readonly events: readonly StoredEvent[];
  /**
   * Where to go on: the next page's `after` (`before` if reversed; the version for a document), or undefined if all up to
   * `end` has been looked at. A page may be empty and still have a next.
   */
  readonly next: number | undefined;
}

/** Positions above `after`. */
export interface ScanRange {
  readonly after?: number | undefined;
  readonly limit: number;
  /** Whether the caller knows the document of a number; the others are named. */
  readonly known: (document: number) => boolean;
  /** A point: the answer says whether the log holds it. */
  readonly seen?: LogPoint | undefined;
}

export interface ScanPage {
  /** The end of the log that was read at. */
  readonly end: LogEnd;
  /** As in {@link Loaded}. */
  readonly holds: boolean;
  /** Bounded as in {@link EventPage}. */
  readonly events: readonly ScannedEvent[];
  /** The documents of these events that the caller doesn't know, each once. */
  readonly named: readonly (DocumentRef & { readonly document: number })[];
  /** The next page's `after`, or undefined if these are all up to `end`. */
  readonly next: number | undefined;
}

export interface ScannedEvent extends EventFacts {
  readonly position: number;
  /** When the event was decided. */
  readonly time: number;
  /**
   * The documents that it is attached to, and the version that it made of each: document, version, document, version, … in the
   * order of {@link StoredEvent.attachments}. A document is a small number of the store's own, the same in all scans.
   */
  readonly attachments: readonly number[];
}

export interface StoredEvent extends EventFacts {
  readonly position: number;
  /**
   * In the order they were appended in; after them, those of keyings that were filled later, by document (UTF-8 bytes of the
   * keying's name, then of the id). Those of a retired keying may be missing.
   */
  readonly attachments: readonly DocumentVersion[];
  /** The commit that it belongs to; the same object for neighbours of one commit. */
  readonly commit: StoredCommit;
}

/** A commit in the chain, which is also the ledger's entry of its command. */
export interface StoredCommit extends CommitFacts {
  /** Of its first event. */
  readonly position: number;
  /** How many events it has. */
  readonly eventCount: number;
  /** When it was stored, by the store's clock; never before its `time`, nor before the commit before. */
  readonly recordedAt: number;
  /** The chain's hash after it. */
  readonly hash: string;
}

export interface CommitRange {
  /** Commits whose first position is above it. */
  readonly after?: number | undefined;
  /** Commits whose first position is not above it. */
  readonly upTo?: number | undefined;
  /** Commits recorded at or before this time. */
  readonly recordedBy?: number | undefined;
  /** The last first. */
  readonly reverse?: boolean | undefined;
  /** At most the smaller of it and {@link PAGE_ROWS_MAX} are returned. */
  readonly limit: number;
}

/** Types whose first event has a position above `after`. */
export interface TypesRange {
  readonly after?: number | undefined;
  /** At most the smaller of it and {@link PAGE_ROWS_MAX} are returned. */
  readonly limit: number;
}

export interface HeldType {
  readonly type: string;
  /** Of its first event. */
  readonly position: number;
  /** Of its first event in a commit that succeeded; undefined if only failures had such events. */
  readonly succeeded?: number | undefined;
}

export interface DocumentsRange {
  readonly after?: DocumentRef | undefined;
  readonly limit: number;
}

export interface DocumentHead extends DocumentRef {
  readonly head: number;
}
