/**
 * What may be passed in: a limit on everything (what is counted or measured, in which unit, how much of it is allowed),
 * and the one check that the options of every public function go through.
 */
import { InvalidDefinition, InvalidInput, isTidemarkError, type ErrorDetails } from './errors.ts';
import { isAbortSignal } from './realm.ts';

/** The limits of an application; pass those that should differ to `open({ limits })`. */
export interface Limits {
  /**
   * Commands waiting to be decided. With one more one is refused with `Overloaded`: the newest of the actor who has most of
   * them there, or, where commands come without an actor, of that command. As many callers may wait for commands with `prepare`
   * that are on their way; the last tenth of these places is for actors who have less than an even share of them.
   */
  readonly queueCommandsMax: number;
  /**
   * Bytes of the inputs of commands waiting to be decided, as JSON; one more is refused with `Overloaded`, unless none waits.
   * As many may wait with commands with `prepare` that are on their way.
   */
  readonly queueBytesMax: number;
  /** Commits stored in one durable write. */
  readonly batchCommitsMax: number;
  /** Bytes of event text stored in one durable write; a single commit may be larger. */
  readonly batchBytesMax: number;
  /** Documents that the commands of one durable write read, or name in `unchanged`; a single command may ask for more. */
  readonly batchReadsMax: number;
  /** Documents that the events of one durable write are attached to; a single commit may have more. */
  readonly batchAttachmentsMax: number;
  /**
   * Milliseconds that commands are decided in one piece, before what was decided is stored and others get their turn; a
   * single command may take longer. A document that takes longer to load is loaded beside the batches, and by `get` beside those
   * that take less.
   */
  readonly batchDecideMs: number;
  /** Bytes of one event's JSON text. */
  readonly eventBytesMax: number;
  /** Bytes of all the events of one command. */
  readonly commitBytesMax: number;
  /** Events of one command. */
  readonly commitEventsMax: number;
  /** Documents that one event is attached to. */
  readonly eventAttachmentsMax: number;
  /** Documents that the events of one command are attached to. */
  readonly commitAttachmentsMax: number;
  /** Documents that one command reads; and as many that it names in `unchanged`. */
  readonly commandReadsMax: number;
  /** Documents that one `get` asks for. */
  readonly getDocumentsMax: number;
  /**
   * Documents that wait to be read by `get`; one who asks for more is refused with `Overloaded`. As many may wait for the
   * `outcome` of a command.
   */
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
  /** Bytes of the states of documents kept in memory, as JSON would need them; in memory they take several times as many. */
  readonly cacheBytesMax: number;
  /** How often a command is decided before the last try, which holds the store's write lock. */
  readonly triesMax: number;
}

/**
 * How long closing an application waits for what is in its queue, unless told otherwise, in milliseconds: half of what those
 * who run containers usually give a process before they kill it.
 */
export const CLOSE_TIMEOUT_MS = 5_000;
/** How long it waits after that until the store has let go of what it was sent, in milliseconds. */
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
});

/** The default limits with some of them replaced. @throws InvalidDefinition for an unknown name or no whole number */
export function limitsWith(given: unknown): Limits {
  const checks = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, whole(1)]));
  return Object.freeze({ ...DEFAULT_LIMITS, ...optionsOf<Partial<Limits>>('limits', given, checks as Checks<Limits>) });
}

// --- Options -----------------------------------------------------------------------------------------------------------

/** Says what is wrong with an option, as its sentence goes on: `must be a whole number from 0`. */
export type Refuse = (problem: string, details?: ErrorDetails) => never;

/** Looks at an option that was given, and returns what is used of it: a copy, where it is data that the caller can change. */
export type Check<Value> = (value: unknown, refuse: Refuse) => Value;

/** A check for each option that there is. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check<Exclude<Options[Name], undefined>> };

/**
 * The options that a caller gave, each of them read once and checked. What is undefined is as if it weren't there.
 *
 * @param of what the options belong to, as messages begin with it
 * @param Wrong `InvalidDefinition` where something is defined or opened, `InvalidInput` where something is asked
 * @param needed those that can't be left out
 * @throws Wrong if there is no such option, or one isn't what it must be
 */
export function optionsOf<Options extends object>(
  of: string,
  given: unknown,
  checks: Checks<Options>,
  Wrong: typeof InvalidDefinition | typeof InvalidInput = InvalidDefinition,
  needed: readonly (keyof Options)[] = [],
): Options {
  const named = Wrong === InvalidInput ? 'path' : 'option';
  const refuse = (problem: string, details?: ErrorDetails): never => {
    throw new Wrong(`${of}: ${problem}.`, details);
  };
  const options: Record<string, unknown> = {};
  if (given === undefined && needed.length === 0) return options as Options;
  try {
    // A map has no options, nor has a promise that somebody forgot to await: both would be taken for none given.
    if (tagOf(given) !== '[object Object]') refuse('the options must be an object');
    for (const name of Object.keys(given as object)) {
      if (!Object.hasOwn(checks, name)) refuse(unknownOption(name, Object.keys(checks)), { [named]: name });
    }
    for (const name of Object.keys(checks) as (keyof Options & string)[]) {
      const value: unknown = (given as Options)[name];
      if (value === undefined && !needed.includes(name)) continue;
      options[name] = checks[name](value, (problem, details) =>
        refuse(`the option ${name} ${problem}`, { [named]: name, ...details }),
      );
    }
  } catch (cause) {
    if (isTidemarkError(cause)) throw cause;
    // A getter or a proxy that throws.
    throw new Wrong(`${of} is given options that can’t be read.`, {}, cause);
  }
  return options as Options;
}

/** A whole number between two, both allowed. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): Check<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  return (value, refuse) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : refuse(`must be a whole number ${bounds}`);
}

/** The longest that a timer waits, in milliseconds: one of more than 31 bits goes off at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

/** Milliseconds, not always whole ones. */
export function milliseconds(max: number): Check<number> {
  return (value, refuse) =>
    typeof value === 'number' && value >= 0 && value <= max
      ? value
      : refuse(`must be a number of milliseconds from 0${max === Infinity ? '' : ` to ${max}`}`);
}

/** One of a few. */
export function oneOf<const Value>(values: readonly Value[]): Check<Value> {
  return (value, refuse) =>
    values.includes(value as Value)
      ? (value as Value)
      : refuse(`must be ${values.map((one) => JSON.stringify(one)).join(' or ')}`);
}

/** An array, of which a copy is made: holes are items that are undefined. */
export function listOf<Item>(item: Check<Item>): Check<readonly Item[]> {
  return (value, refuse) =>
    Array.isArray(value) ? Array.from(value, (one: unknown) => item(one, refuse)) : refuse('must be an array');
}

/** A function; what it is for, in words. */
export function callable<Value extends (...given: never[]) => unknown>(purpose = ''): Check<Value> {
  return (value, refuse) => (typeof value === 'function' ? (value as Value) : refuse(`must be a function${purpose}`));
}

/** A clock of the user's. */
export const clock: Check<() => number> = callable(' that returns milliseconds since the Unix epoch');

/**
 * What a clock of the user's says: whole milliseconds since the Unix epoch.
 *
 * @param whose as the message begins with it
 * @param latest a later time is no clock's
 * @throws InvalidDefinition if it throws, or gives no time
 */
export function timeBy(ask: () => unknown, whose: string, latest: number): number {
  let said: unknown;
  let problem = 'threw an error, which is the cause of this one';
  let cause: unknown;
  try {
    said = ask();
    const now = typeof said === 'number' ? Math.floor(said) : NaN;
    if (now >= 0 && now <= latest) return now;
    problem = `gave ${typeof said === 'number' ? said : isThenable(said) ? 'a promise' : typeof said}`;
  } catch (error) {
    cause = error;
  }
  throw new InvalidDefinition(
    `${whose} ${problem}. Nothing was stored: a clock that is given to open, or to a store, must return milliseconds since ` +
      'the Unix epoch.',
    { option: 'clock' },
    cause,
  );
}

/** Nobody will wait for it, so that it is rejected is nobody's to hear: it must not end the process. */
function isThenable(value: unknown): boolean {
  if (typeof (value as { then?: unknown } | null | undefined)?.then !== 'function') return false;
  Promise.resolve(value).catch(() => undefined);
  return true;
}

/** What can't be said against it here: whoever uses it looks at it. */
export const anything: Check<unknown> = (value) => value;

export const abortSignal: Check<AbortSignal> = (value, refuse) =>
  isAbortSignal(value) ? value : refuse('must be an AbortSignal');

const tagOf = (value: unknown): string => Object.prototype.toString.call(value);

function unknownOption(name: string, known: readonly string[]): string {
  const nearest = nearestTo(name, known);
  const meant = nearest === undefined ? 'nothing is done by it.' : `did you mean ${nearest}?`;
  return `there is no option ${shownName(name)}: ${meant} There ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}

/** Longest part of a name that messages show, in UTF-16 code units. */
const NAME_SHOWN = 100;

/** A name of the caller's as a message shows it. */
export function shownName(name: string): string {
  return JSON.stringify(name.slice(0, NAME_SHOWN));
}

/** Which of the known names somebody has most likely meant; undefined if none is near. */
export function nearestTo(name: string, known: Iterable<string>): string | undefined {
  const given = name.slice(0, NAME_SHOWN).toLowerCase();
  const [nearest] = Array.from(known, (one) => ({ one, edits: editsBetween(given, one.toLowerCase()) }))
    .filter(({ one, edits }) => edits <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.edits - b.edits);
  return nearest?.one;
}

/** How many letters must be added, left out or replaced to make one name the other (Levenshtein). */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at += 1) {
    const above = row;
    row = [at];
    for (let index = 1; index <= other.length; index += 1) {
      const replaced = above[index - 1]! + (one[at - 1] === other[index - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[index]! + 1, row[index - 1]! + 1));
    }
  }
  return row[other.length]!;
}
