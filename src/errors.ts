/**
 * Every error that Tidemark throws, in one file. Each is a class over {@link TidemarkError}, named like its `code`.
 * Errors are part of the interface: the message says what happened and what to do next, `details` is plain JSON, and
 * `retryable` says whether the same call may succeed later.
 */

// eslint-disable-next-line import/no-self-import -- as types: a code is the name of a class below
import type * as errors from './errors.ts';
import { markOf } from './realm.ts';
import { VERSION } from './version.ts';

/** Plain JSON, safe to log or to send on. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

const MARK = markOf('error');

/**
 * The base of every error of Tidemark. `instanceof` knows the errors of one copy of the package only: compare `code` where
 * there may be two (an adapter brings its own, a test framework loads modules anew).
 */
export abstract class TidemarkError extends Error {
  static {
    Object.defineProperty(this.prototype, MARK, { value: VERSION });
  }

  /** Stable name of the error, the same as its class. */
  readonly code: string;
  /** Whether the same call may succeed later, without a change to code, input or machine. */
  readonly retryable: boolean;
  /** What the message is about, as plain JSON. */
  readonly details: ErrorDetails;

  /** The code of each error of the class, and whether it is retryable, unless it says otherwise. */
  static readonly code: string;
  static readonly retryable: boolean = false;

  constructor(message: string, details: ErrorDetails = {}, cause?: unknown, retryable = new.target.retryable) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.code;
    this.code = new.target.code;
    this.retryable = retryable;
    this.details = details;
  }

  /** The error as plain JSON: `{ code, message, retryable, details }`. */
  toJSON(): { code: string; message: string; retryable: boolean; details: ErrorDetails } {
    return { code: this.code, message: this.message, retryable: this.retryable, details: this.details };
  }
}

/** Whether it is an error of Tidemark, of any copy of the package. */
export function isTidemarkError(error: unknown): error is TidemarkError {
  try {
    return typeof error === 'object' && error !== null && MARK in error;
  } catch {
    // The value may be a proxy that throws.
    return false;
  }
}

type Errors = typeof errors;
type Code = {
  [K in keyof Errors]: Errors[K] extends new (...args: never[]) => TidemarkError ? K : never;
}[keyof Errors];

/** Whether it is an error of Tidemark with one of these codes, of any copy of the package. */
export function hasCode<const C extends Code>(error: unknown, ...codes: C[]): error is InstanceType<Errors[C]> {
  return isTidemarkError(error) && (codes as string[]).includes(error.code);
}

// --- What the caller passed in -------------------------------------------------------------------------------------

/** An input, an id or an option is wrong. Nothing was recorded. `details.path` leads to the fault. */
export class InvalidInput extends TidemarkError {
  static override readonly code: string = 'InvalidInput';
}

/**
 * The command was not given to `open`: add it to `commands`. With `details.reloaded` a command of the same name was given:
 * its module was loaded again since. Nothing was recorded.
 */
export class UnknownCommand extends InvalidInput {
  static override readonly code: string = 'UnknownCommand';
}

/** The collection was not given to `open`: add it to `collections`. Or it was loaded again, see {@link UnknownCommand}. */
export class UnknownCollection extends InvalidInput {
  static override readonly code: string = 'UnknownCollection';
}

/** A command id was used before, with another name, input or actor. Nothing was recorded. */
export class CommandIdReused extends TidemarkError {
  static override readonly code: string = 'CommandIdReused';
}

/** A document in `unchanged` has changed since the caller saw it. Nothing was recorded: show the new state, ask again. */
export class Conflict extends TidemarkError {
  static override readonly code: string = 'Conflict';
}

// --- What the application defines ------------------------------------------------------------------------------------

/** A domain, collection, command, event version, key, option or limit is defined wrongly. Thrown where that is done. */
export class InvalidDefinition extends TidemarkError {
  static override readonly code: string = 'InvalidDefinition';
}

/** `decide` made something that can't be stored as an event. Recorded as `$ERRORED`; the event itself is not stored. */
export class InvalidEvent extends TidemarkError {
  static override readonly code: string = 'InvalidEvent';
}

/**
 * A command went over a limit: events or bytes of a commit, attachments of an event, documents read. Or a document is watched whose
 * state is too large to be stored.
 */
export class LimitExceeded extends TidemarkError {
  static override readonly code: string = 'LimitExceeded';
}

/** A schema answered with a promise. Decisions are synchronous: look things up in `prepare` instead. */
export class AsyncSchema extends TidemarkError {
  static override readonly code: string = 'AsyncSchema';
}

/** A reducer threw, or returned something that is not plain JSON. `details` names collection, id and event. */
export class ReducerFailed extends TidemarkError {
  static override readonly code: string = 'ReducerFailed';
}

/** An upcast threw, or returned something that is not a plain object. `details` names type, version, position, documents. */
export class UpcastFailed extends TidemarkError {
  static override readonly code: string = 'UpcastFailed';
}

/** The log was written by newer code than this: deploy the newer domain here too. `details` says where it was noticed. */
export class DomainOutdated extends TidemarkError {
  static override readonly code: string = 'DomainOutdated';
}

/**
 * A collection has other event types or another key than are registered under its definition, or its key function finds
 * other ids than before. `details` says what differs.
 */
export class DefinitionChanged extends TidemarkError {
  static override readonly code: string = 'DefinitionChanged';
}

/** A collection is new, or its definition isn't the registered one: its documents would have to be made from the log. */
export class RebuildRequired extends TidemarkError {
  static override readonly code: string = 'RebuildRequired';
}

// --- What happens while running ----------------------------------------------------------------------------------------

/** Documents of a collection are still being made by a new key or definition. Nothing was recorded: send it again later. */
export class Rebuilding extends TidemarkError {
  static override readonly code: string = 'Rebuilding';
  static override readonly retryable = true;
}

/** The queue is full. Nothing was recorded: slow down, or send it again later with the same id. */
export class Overloaded extends TidemarkError {
  static override readonly code: string = 'Overloaded';
  static override readonly retryable = true;
}

/** The application or the store was closed. Nothing was recorded. */
export class Closed extends TidemarkError {
  static override readonly code: string = 'Closed';
}

/**
 * The store can't be reached, read or written now. If `details.unknown` is true, the commit may have been stored: send the
 * command again with the same id, and it is stored once. `retryable` is false where a person must first fix what the message
 * names.
 */
export class StoreUnavailable extends TidemarkError {
  static override readonly code: string = 'StoreUnavailable';
  static override readonly retryable = true;
}

/**
 * The store is well, but all its connections are in use, and this call waited for one too long, or too many calls wait.
 * Nothing was done: send fewer at once, or give the store more connections, and try again.
 */
export class ConnectionsBusy extends TidemarkError {
  static override readonly code: string = 'ConnectionsBusy';
  static override readonly retryable = true;
}

/**
 * The clock of the decision is too far ahead of the store's clock, or the machine's clock has jumped ahead since the
 * machine started. Nothing was recorded: set the clock.
 */
export class ClockAhead extends TidemarkError {
  static override readonly code: string = 'ClockAhead';
  static override readonly retryable = true;
}

/**
 * The store no longer holds what this server or the caller has seen: it is an older copy or a lagging replica. If
 * `details.after` is there, only the caller's place `after` is missing.
 */
export class HistoryDiverged extends TidemarkError {
  static override readonly code: string = 'HistoryDiverged';
}

/**
 * Another log, or none, is now where this server opened its log: a schema or database was renamed, restored or made anew.
 * Nothing was recorded: find the log, and open it there.
 */
export class WrongLog extends TidemarkError {
  static override readonly code: string = 'WrongLog';
}

// --- What the store's place holds ----------------------------------------------------------------------------------------

/** The file or database holds something other than a Tidemark log, or no log can be made there. */
export class NotALog extends TidemarkError {
  static override readonly code: string = 'NotALog';
}

/** The log is of a newer format than this version of Tidemark reads: upgrade the package. */
export class FormatTooNew extends TidemarkError {
  static override readonly code: string = 'FormatTooNew';
}

/** The process may not write where the log is. */
export class NotWritable extends TidemarkError {
  static override readonly code: string = 'NotWritable';
}

/** The stored log is damaged. `details` says where. Stop writing, keep the file, restore a copy beside it. */
export class LogCorrupt extends TidemarkError {
  static override readonly code: string = 'LogCorrupt';
}
