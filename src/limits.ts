/** A limit on everything: what is counted or measured, in which unit, how much of it is allowed. */
import { optionsOf, whole, type Checks } from './options.ts';

/** The limits of an application; pass those that should differ to `open({ limits })`. */
export interface Limits {
  /**
   * Commands waiting to be decided. One more is refused with `Overloaded`: the newest of the actor (or, without actors, of the
   * command) that has most of them. As many callers may wait for commands with `prepare`; the last tenth of these places is
   * for actors that have less than an even share.
   */
  readonly queueCommandsMax: number;
  /**
   * Bytes of the inputs of commands waiting to be decided, as JSON; one more is refused with `Overloaded`, unless none waits.
   * As many bytes may wait with commands with `prepare`.
   */
  readonly queueBytesMax: number;
  /** Commits stored in one durable write. */
  readonly batchCommitsMax: number;
  /** Bytes of event text stored in one durable write; a single commit may be larger. */
  readonly batchBytesMax: number;
  /** Documents that the commands of one durable write read or name in `unchanged`; a single command may name more. */
  readonly batchReadsMax: number;
  /** Documents that the events of one durable write are attached to; a single commit may have more. */
  readonly batchAttachmentsMax: number;
  /**
   * Milliseconds that commands are decided in one piece; a single command may take longer. A document that takes longer to
   * load is loaded beside the batches, and `get` of other documents doesn't wait for it.
   */
  readonly batchDecideMs: number;
  /** Bytes of one event's JSON text. */
  readonly eventBytesMax: number;
  /** Bytes of all the events of one command. */
  readonly commitBytesMax: number;
  /** Events of one command. */
  readonly commitEventsMax: number;
  /** Documents that one event is attached to, by this code's own collections: those of other releases don't count. */
  readonly eventAttachmentsMax: number;
  /** Documents that the events of one command are attached to, by this code's own collections. */
  readonly commitAttachmentsMax: number;
  /** Documents that one command reads; and as many that it names in `unchanged`. */
  readonly commandReadsMax: number;
  /** Documents that one `get` asks for. */
  readonly getDocumentsMax: number;
  /** Documents that wait to be read by `get`; one more is refused with `Overloaded`. As many may wait for an `outcome`. */
  readonly getDocumentsWaitingMax: number;
  /** Calls of `fold` and `verify`, which read the whole log, that go on at once; the others wait for their turn. */
  readonly longReadsMax: number;
  /** Calls of `fold` and `verify` that wait for their turn; one more is refused with `Overloaded`. */
  readonly longReadsWaitingMax: number;
  /** Bytes of the JSON text of a command's input. */
  readonly inputBytesMax: number;
  /** Bytes of the JSON text of a failure's details. */
  readonly detailsBytesMax: number;
  /** Documents kept in memory. */
  readonly cacheEntriesMax: number;
  /** Bytes of the states kept in memory, as JSON; in memory they take several times as many. */
  readonly cacheBytesMax: number;
  /** How often a command is decided before the last try, which holds the store's write lock. */
  readonly triesMax: number;
  /**
   * Milliseconds that a call waits for documents that are still being made by a new key or definition. Then it gets `Rebuilding`.
   */
  readonly rebuildingWaitMs: number;
}

/** Bytes of the JSON text of a stored document. While its state is larger, it is marked as failed, and queries don't find it. */
export const STORED_STATE_BYTES_MAX = 16 * 1024 * 1024;

/** Indexes of one collection. */
export const INDEXES_MAX = 16;
/** Fields of one index. */
export const INDEX_FIELDS_MAX = 6;

/** How long `close` waits for the queue by default, in milliseconds: half of what containers usually get before a kill. */
export const CLOSE_TIMEOUT_MS = 5_000;
/** How long `close` then waits for the store, in milliseconds. */
export const CLOSE_LATE_MS = 1_000;

/** The limits where none are given. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  queueCommandsMax: 10_000,
  queueBytesMax: 64 * 1024 * 1024,
  batchCommitsMax: 1_024,
  batchBytesMax: 1024 * 1024,
  batchReadsMax: 1_000,
  batchAttachmentsMax: 2_000,
  batchDecideMs: 5,
  eventBytesMax: 1024 * 1024,
  commitBytesMax: 16 * 1024 * 1024,
  commitEventsMax: 1_000,
  eventAttachmentsMax: 1_000,
  commitAttachmentsMax: 4_000,
  commandReadsMax: 1_000,
  getDocumentsMax: 10_000,
  getDocumentsWaitingMax: 100_000,
  longReadsMax: 2,
  longReadsWaitingMax: 100,
  inputBytesMax: 1024 * 1024,
  detailsBytesMax: 16 * 1024,
  cacheEntriesMax: 50_000,
  cacheBytesMax: 64 * 1024 * 1024,
  triesMax: 8,
  rebuildingWaitMs: 5_000,
});

/** The default limits with some replaced. @throws InvalidDefinition for an unknown name, or a value that is no whole number */
export function limitsWith(given: unknown): Limits {
  const checks = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, whole(1)]));
  return Object.freeze({ ...DEFAULT_LIMITS, ...optionsOf<Partial<Limits>>('limits', given, checks as Checks<Limits>) });
}
