/**
 * What a store owes.
 *
 * A store is a small, deterministic state machine: the same batches in the same order give the same log, the same versions and
 * the same hashes in every store. It knows nothing of reducers or schemas. The conformance suite in `tidemark/testing` checks
 * every store against the sentences below.
 *
 * Strings that reach a store are well-formed Unicode without NUL, are compared byte by byte in UTF-8, and are never
 * normalised. Times are milliseconds since the Unix epoch. Hashes are 64 lower-case hexadecimal digits.
 *
 * Errors a store may throw: `StoreUnavailable` (with `details.unknown: true` where a commit may or may not have been stored),
 * `ConnectionsBusy`, `ClockAhead`, `RebuildRequired`, `DefinitionChanged`, `Closed`, `LogCorrupt`, `HistoryDiverged` (where the
 * store itself sees that acknowledged commits are gone), `WrongLog` (where another log, or none, is in the place of the log
 * that was opened), `FormatTooNew` (also once a later release has brought an open log to a newer format), and at opening
 * `NotALog`, `NotWritable`; for what no engine should do, `InvalidInput` (a batch that isn't valid) and `InvalidDefinition` (a
 * clock that throws, or gives no time). No other error reaches the caller.
 *
 * Bounds of ranges that no position or version can have are no errors: `after: -5` is 0, `after: 1.5` is 1, and a page with a
 * limit below 1 is empty.
 */
import type { DeclaredKey } from '../model/key.ts';

/** A place where a log can be. Making one does nothing yet; each `open` gives an independent session on the log. */
export interface Store {
  /** What kind of store it is, for messages and `status()`: `'sqlite'`. */
  readonly name: string;
  /** The clock that was given by an option: an application without a clock of its own uses it too. */
  readonly clock?: (() => number) | undefined;
  /** Opens the log, and makes it first if there is none. Refuses what isn't a log, or has a newer format. */
  open(opening?: Opening): Promise<Session>;
}

/** What the application gives to its session. */
export interface Opening {
  /**
   * The application's clock, in milliseconds since the Unix epoch. The session uses it, unless the store was given one or has
   * a server that knows the time.
   */
  readonly clock?: (() => number) | undefined;
  /** Told of what an operator should act on, as the application's logger is: details, then a sentence. */
  readonly warn?: ((details: object, message: string) => void) | undefined;
}

/**
 * An open log. Its methods may be called at any time; what they promise holds whatever other sessions do. Callers don't change
 * what they have passed before the answer: no store needs a copy.
 */
export interface Session {
  /**
   * Whether the log was opened only for reading: then `append` and `exclusive` throw `NotWritable`, and so does a `register`
   * that would change anything. Commands are refused before their `prepare` runs.
   */
  readonly readOnly?: boolean;

  /** The registered collections, ordered by name, and the registry's generation (0 for a new log). */
  registry(): Promise<Registry>;

  /**
   * Registers collections as the caller's code has them, all or none, in one transaction under the write lock, and returns the
   * registry. If there is nothing to change, it waits for no lock. Each call that changes the registry raises its generation by
   * one. A collection's types are those that it handles and those that its key map names. One after the other, in the order
   * given (registered.ts decides it for every store):
   *
   * 1. One that isn't registered is added to an empty log, and needs `RebuildRequired` on another.
   * 2. One with another definition than the registered one needs `RebuildRequired`.
   * 3. Another key is `DefinitionChanged`: fields that aren't the same, or a map that differs in a type that both name.
   * 4. Types that are registered and not given, together with types that are given and not registered, are `DefinitionChanged`.
   * 5. Types that are registered and not given (an older release beside a newer one) change nothing.
   * 6. Types that are given and not registered are registered with their keys, if the log has never held an event of any of
   *    them, whatever the outcome of its commit; otherwise `DefinitionChanged`.
   */
  register(collections: readonly CollectionEntry[]): Promise<Registry>;

  /**
   * Stores the commits of a batch that stand, in one durable write, and says which fell and all that stands in their way
   * (laws 1 to 7): each commit stands or falls alone. The answer is given only after the write is on stable storage.
   * `InvalidInput` is thrown for a batch that isn't valid (no commits, a commit without events, a command id or a document of
   * `reads` that it has twice, a commit that rests on a row that `reads` doesn't have). In order, all within one write lock:
   *
   * 1. `diverged` if the log doesn't hold `seen`.
   * 2. `behind` if `generation` isn't the registry's; `diverged` if a version in `reads` is above its document's head.
   * 3. A commit falls if a final outcome is stored under its command id, or a row that it rests on is stale or tainted. A row
   *    of `reads` is stale if an event of a type in `handled` is attached to its document above the version read; merely being
   *    attached to is not stale. It is tainted for the commits after one that fell and would have attached such an event:
   *    whatever made that commit fall, and whatever its outcome. A commit that attaches without having read never falls for that.
   *    `refused` if all of them fall.
   * 4. The store's clock is read. `ClockAhead` is thrown, and nothing stored, if the time of a commit that stands is later than
   *    the last `recordedAt` before the batch, and further ahead of that clock than its bound: a wrong clock can't move the log
   *    ahead, not even in small steps. A store without a server that knows the time also throws it where its own clock is
   *    further ahead than it can have come since the machine started (clock.ts), unless it was given one.
   * 5. Of the commits that stand, and of them alone, every event takes the next position, every attachment its document's next
   *    version, and every commit is hashed into the chain (docs/reference/hash-chain.md). A commit's `recordedAt` is what the clock
   *    said, one reading for the batch; or its `time` or the `recordedAt` of the commit before, if that is later. So it never
   *    goes back, and what was recorded by a past time stays the same, as long as the clock isn't set back. A commit that fell
   *    leaves nothing behind: no entry of the ledger, no document.
   */
  append(batch: Batch): Promise<Appended>;

  /**
   * Runs `work` with the write lock of the log held: what it loads can't change until it has appended. What it appended is on
   * stable storage when the returned promise resolves, not before. Nothing is stored if `work` throws, nor if an `append` in it
   * threw, even if `work` caught that. Readers don't wait for it. `work` must only use `locked`: an `append` of the session
   * itself would wait for `work` to end.
   */
  exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T>;

  /**
   * Heads and events of documents, all as of one point of the log. At most {@link LOAD_EVENTS_MAX} events with
   * {@link PAGE_BYTES_MAX} of text are returned over all documents together, in the order of the requests, and at least
   * one if there is any: where a document's last event is below its head (or `upTo`), ask again from there with
   * `asOf: end.position`. The text of an event that several of the documents share is read, and counted, once.
   */
  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded>;

  /** A page of the log, or of one document's events, with everything that is recorded about each event. */
  read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage>;

  /** A page of the log as a fold needs it: the facts of each event and what it is attached to, nothing of its commit. */
  scan(range: ScanRange, options?: ForBatch): Promise<ScanPage>;

  /** Commits as they are hashed, in the order of the log, without their events. */
  commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]>;

  /**
   * What the ledger holds of these command ids, in any order: the final outcome where there is one, otherwise the last
   * that isn't final; nothing for an id that was never recorded.
   */
  ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]>;

  /**
   * The event types that the log has ever held, in the order of their first events. Kept beside the log: asking costs
   * the same however long that is.
   */
  types(range: TypesRange): Promise<readonly HeldType[]>;

  /** Documents with at least one event, ordered by collection then id (UTF-8 bytes), with their heads. */
  documents(range: DocumentsRange): Promise<readonly DocumentHead[]>;

  /**
   * Waits until the log doesn't end at `from`, and returns where it ends then. At once, if it ends elsewhere already;
   * otherwise after a commit: at once if it was of this process, within {@link MOVED_MS} on an idle machine if it was of
   * another. One answer may stand for several commits. An end is returned only when all sessions can read up to it, so never
   * one that an `exclusive` hasn't committed.
   *
   * Elsewhere, not further on: a store that went back in time has moved too, and a caller that waits at an end that is gone must
   * know it now, not when the new history has become longer than the old. Ends are compared by position and hash.
   *
   * The answer only says when to look: what is read then counts. Rejects with the signal's reason once it is aborted, with
   * `Closed` once the session is closed, with `StoreUnavailable` (or what else a read would throw) if the store is found to be
   * away meanwhile. In all cases it leaves nothing behind: no listener at the signal, and no timer once no call waits. Any
   * number of calls may wait at once.
   */
  moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd>;

  /** The state of its storage, for operators. A store without anything to say leaves it out. */
  health?(): Promise<Health>;

  /**
   * Looks for damage that the store itself can see (not the chain). One sentence for each finding; empty if there is none. A
   * store that checks one piece after the other waits for `rest` between them: others have their turn then.
   */
  check(rest?: () => Promise<void>): Promise<readonly string[]>;

  /**
   * Ends the session. Every later call throws `Closed`; so may reads under way. Earlier calls that may store something
   * (`append`, `register`, `exclusive`) are done first: for as long as that takes, or within `timeoutMs` milliseconds. After
   * these it waits for no lock any more, and resolves within moments. A call that hasn't stored by then throws `Closed`, and
   * never stores; or `StoreUnavailable` with `details.unknown: true`, if it was sent and has no answer. The `work` of an
   * `exclusive` that still runs has lost the lock: its calls throw `Closed`, and nothing of it is stored. Closing twice does
   * nothing.
   */
  close(closing?: Closing): Promise<void>;
}

export interface Health {
  /**
   * What a write-ahead log holds that isn't in the file yet, in bytes. Some megabytes while there are writers; it grows as long
   * as a reader stays at an old place.
   */
  readonly walBytes?: number | undefined;
}

export interface Closing {
  /** How long earlier calls may take, in milliseconds; without it there is no bound. */
  readonly timeoutMs?: number | undefined;
}

/** What can be called under the write lock: all that the work needs, so that it never waits for another connection. */
export type Locked = Pick<Session, 'registry' | 'append' | 'load' | 'ledger' | 'commits' | 'read'>;

// --- Bounds ----------------------------------------------------------------------------------------------------------

/**
 * Most events that one `load` returns: a store that answers without waiting holds the event loop meanwhile, and so does the
 * fold. 10,000 took over 100 ms together.
 */
export const LOAD_EVENTS_MAX = 1_000;
/** Most events, commits or documents that one page holds. */
export const PAGE_ROWS_MAX = 1_000;
/**
 * Most bytes of event text (UTF-8) that one `read`, one `load` or the stale documents of one `append` return, over all its
 * documents together: the text of an event that several of them share counts once. The first event is returned however long
 * it is.
 */
export const PAGE_BYTES_MAX = 8 * 2 ** 20;
/**
 * Most attachments of the events that one `read` or one `scan` returns, over all of them together: 700 events with 1,000
 * each took more than a second. The first event is returned however many it has.
 */
export const PAGE_ATTACHMENTS_MAX = 10_000;
/** Most positions that one `read` looks at, so that a rare type doesn't keep a statement open for the whole log. */
export const PAGE_POSITIONS_MAX = 10_000;
/** Most events that an append answers with for each stale document; the engine loads the rest. */
export const STALE_EVENTS_MAX = 100;
/** How long it may take until `moved` sees another process's commit, in milliseconds, on an idle machine. */
export const MOVED_MS = 50;
/** How far ahead of the store's clock a decision's time may be, in milliseconds, unless an option says otherwise. */
export const CLOCK_AHEAD_MAX_MS = 5 * 60_000;

// --- Registry ----------------------------------------------------------------------------------------------------------

export interface Registry {
  readonly generation: number;
  readonly collections: readonly CollectionEntry[];
}

export interface CollectionEntry {
  readonly name: string;
  readonly definition: number;
  /** As declared; two declarations are the same if their JSON texts are, those of two maps type by type. */
  readonly key: DeclaredKey;
  /** The event types that its reducers handle: a set. The registry gives each once, ordered by UTF-8 bytes. */
  readonly handled: readonly string[];
}

// --- Append ------------------------------------------------------------------------------------------------------------

/** An end of the log: the last position of a commit, and the chain's hash there. Position 0 has 64 zeros. */
export interface LogPoint {
  readonly position: number;
  readonly hash: string;
}

export interface LogEnd extends LogPoint {
  /** `recordedAt` of the last commit; 0 where there is none. */
  readonly recordedAt: number;
}

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

export interface DocumentVersion {
  readonly collection: string;
  readonly id: string;
  readonly version: number;
}

/** The command: the part of a commit that the ledger keeps. */
export interface CommandFacts {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the canonical JSON of name, actor and raw input. */
  readonly fingerprint: string;
  readonly actor?: string | undefined;
  readonly correlation?: string | undefined;
  readonly causation?: string | undefined;
}

/** The outcome of a command: the facts that the digest covers, without the events. */
export interface CommitFacts {
  readonly command: CommandFacts;
  readonly outcome: 'succeeded' | 'failed';
  /** Whether the command id is used up. */
  readonly final: boolean;
  readonly reason?: string | undefined;
  /** Details of a failure, as JSON text. */
  readonly details?: string | undefined;
  /** When it was decided. */
  readonly time: number;
}

export interface Commit extends CommitFacts {
  /** In order. Not empty. */
  readonly events: readonly NewEvent[];
  /** Made of the facts and events by `commitDigest`, before the write. */
  readonly digest: string;
  /** What it rests on: rows of the batch's `reads`, by index, each once. Neither hashed nor stored. */
  readonly reads: readonly number[];
}

/** The part of an event that is a fact, and hashed. */
export interface EventFacts {
  readonly type: string;
  /** From 1, of the type's schema; 0 where no schema has checked it. At most 32 bits. */
  readonly schemaVersion: number;
  /** The fields without `type`: the exact text that is stored and hashed. Nothing may assume that it can be read. */
  readonly json: string;
}

export interface NewEvent extends EventFacts {
  /** Each document once. */
  readonly attachments: readonly DocumentRef[];
}

export interface DocumentRef {
  readonly collection: string;
  readonly id: string;
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

// --- Reading -----------------------------------------------------------------------------------------------------------

export interface LoadRequest extends DocumentRef {
  /** Events above this version are returned. */
  readonly after: number;
  /** Events above this version are not. */
  readonly upTo?: number | undefined;
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
  /** In the order of the requests. Versions of the events are dense from `after + 1`. */
  readonly documents: readonly LoadedDocument[];
}

export interface LoadedDocument {
  /** Its number in scans; undefined if its head is 0. */
  readonly document: number | undefined;
  readonly head: number;
  readonly events: readonly DocumentEvent[];
}

/** What a fold needs of an event. */
export interface DocumentEvent extends EventFacts {
  /** The version of the document that the event made. */
  readonly version: number;
  readonly position: number;
  /** When the event was decided. */
  readonly time: number;
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
   * order they were appended in. A document is a small number of the store's own, the same in all scans.
   */
  readonly attachments: readonly number[];
}

export interface StoredEvent extends EventFacts {
  readonly position: number;
  /** In the order they were appended in. */
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
