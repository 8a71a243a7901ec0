/** A limit on everything: what is counted or measured, in which unit, and how much of it is allowed. */
import { InvalidDefinition } from './errors.ts';

/** The limits of an application; pass those that should differ to `open({ limits })`. */
export interface Limits {
  /** Commands waiting to be decided; one more is refused with `Overloaded`. */
  readonly queueCommandsMax: number;
  /** Commits stored in one durable write. */
  readonly batchCommitsMax: number;
  /** Bytes of event text stored in one durable write; a single commit may be larger. */
  readonly batchBytesMax: number;
  /** Bytes of one event's JSON text. */
  readonly eventBytesMax: number;
  /** Bytes of all the events of one command. */
  readonly commitBytesMax: number;
  /** Events of one command. */
  readonly commitEventsMax: number;
  /** Documents that one event is attached to. */
  readonly eventAttachmentsMax: number;
  /** Documents that one command reads. */
  readonly commandReadsMax: number;
  /** Documents that one `get` asks for. */
  readonly getDocumentsMax: number;
  /** Bytes of the JSON text of a command's input. */
  readonly inputBytesMax: number;
  /** Bytes of the JSON text of a failure's details. */
  readonly detailsBytesMax: number;
  /** Documents kept in memory. */
  readonly cacheEntriesMax: number;
  /** How often a batch is decided before the last try, which holds the store's write lock. */
  readonly triesMax: number;
}

/** The limits where none are given. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  queueCommandsMax: 10_000,
  batchCommitsMax: 1_024,
  batchBytesMax: 4 * 1024 * 1024,
  eventBytesMax: 1024 * 1024,
  commitBytesMax: 16 * 1024 * 1024,
  commitEventsMax: 1_000,
  eventAttachmentsMax: 1_000,
  commandReadsMax: 1_000,
  getDocumentsMax: 10_000,
  inputBytesMax: 16 * 1024 * 1024,
  detailsBytesMax: 16 * 1024,
  cacheEntriesMax: 50_000,
  triesMax: 8,
});

/** The default limits with some of them replaced. @throws InvalidDefinition for an unknown name or no whole number */
export function limitsWith(given: Partial<Limits> | undefined): Limits {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) {
      throw new InvalidDefinition(
        `There is no limit ${JSON.stringify(name)}. There are: ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
        { limit: name },
      );
    }
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) {
      throw new InvalidDefinition(`The limit ${name} must be a whole number from 1.`, { limit: name });
    }
  }
  const set = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  return Object.freeze({ ...DEFAULT_LIMITS, ...(Object.fromEntries(set) as Partial<Limits>) });
}
