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
 * `ConnectionsBusy`, `ClockAhead`, `Closed`, `LogCorrupt`, `HistoryDiverged` (where the
 * store itself sees that acknowledged commits are gone), `WrongLog` (where another log, or none, is in the place of the log
 * that was opened), `FormatTooNew` (also once a later release has brought an open log to a newer format), and at opening
 * `NotALog`, `NotWritable`; for what no engine should do, `InvalidInput` (a batch that isn't valid) and `InvalidDefinition` (a
 * clock that throws, or gives no time). No other error reaches the caller.
 *
 * Bounds of ranges that no position or version can have are no errors: `after: -5` is 0, `after: 1.5` is 1, and a page with a
 * limit below 1 is empty.
 */
import type { Appended, Batch } from './append.ts';
import type { LogEnd, LogPoint } from './facts.ts';
import type { IndexedPage, Stepped, Storing } from './documents.ts';
import type {
  CommitRange,
  DocumentHead,
  DocumentRange,
  DocumentsRange,
  EventPage,
  ForBatch,
  HeldType,
  Loaded,
  LoadOptions,
  LoadRequest,
  LogRange,
  ScanPage,
  ScanRange,
  TypesRange,
} from './reading.ts';
import type { StoredCommit } from './reading.ts';
import type { AttachedPage, Registering } from './registry.ts';

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
export interface Session extends Registering, Storing {
  /**
   * Whether the log was opened only for reading: then `append`, `exclusive`, `advance` and `sweep` throw `NotWritable`, and so
   * does a `change` that changes anything. Commands are refused before their `prepare` runs.
   */
  readonly readOnly?: boolean;

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
  exclusive<T>(work: (locked: Locked) => Promise<T>, options?: ExclusiveOptions): Promise<T>;

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
   * (`append`, `change`, `exclusive`, `advance`, `sweep`) are done first: for as long as that takes, or within `timeoutMs` milliseconds. After
   * these it waits for no lock any more, and resolves within moments. A call that hasn't stored by then throws `Closed`, and
   * never stores; or `StoreUnavailable` with `details.unknown: true`, if it was sent and has no answer. The `work` of an
   * `exclusive` that still runs has lost the lock: its calls throw `Closed`, and nothing of it is stored. Closing twice does
   * nothing.
   */
  close(closing?: Closing): Promise<void>;
}

export interface ExclusiveOptions {
  /**
   * What the work stores can be made again from the log, and it appends nothing: it needn't be on stable storage when the promise
   * resolves. After a crash all of it may be undone, together with all that was made after it.
   */
  readonly isMade?: boolean | undefined;
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
export interface Locked extends Pick<
  Session,
  'registry' | 'append' | 'load' | 'ledger' | 'commits' | 'read' | 'scan' | 'stored'
> {
  /**
   * Attaches events to documents of a keying that is being filled, and moves it on. Each event gives its documents their next
   * version. Otherwise nothing is stored, and it answers with the first of these that is so: `diverged` if the log doesn't hold `seen`,
   * or `to` is beyond it; `behind` if the registry has another generation; `moved` if the keying isn't filling from there any more, or
   * would be live before the end of the log.
   */
  attach(page: AttachedPage): Promise<Stepped>;
  /** Adds entries to an index that is being filled, and moves it on. False if it isn't filling from there any more. */
  fillIndex(page: IndexedPage): Promise<boolean>;
}
