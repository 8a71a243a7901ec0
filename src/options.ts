/** The one check that the options of every public function go through. */
import { InvalidDefinition, InvalidInput, isTidemarkError, type ErrorDetails } from './errors.ts';
import { nearestTo, shownName } from './nearest.ts';
import { isAbortSignal, isPromise } from './realm.ts';

/** Throws for an option; `problem` continues the sentence: `must be a whole number from 0`. */
export type Refuse = (problem: string, details?: ErrorDetails) => never;

/** Checks a given option and returns what is used of it: a copy, if it is data that the caller can change. */
export type Check<Value> = (value: unknown, refuse: Refuse) => Value;

/** A check for each option. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check<Exclude<Options[Name], undefined>> };

/**
 * The options of a caller, each read once and checked. Undefined counts as not given.
 *
 * @param of the start of messages
 * @param Wrong `InvalidDefinition` for definitions and `open`, `InvalidInput` for calls
 * @param needed options that can't be left out
 * @throws Wrong for an unknown or invalid option
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
    // A map has no options, nor has a promise that was not awaited: both would count as no options given.
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

/** A whole number between two bounds, both allowed. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER): Check<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  return (value, refuse) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : refuse(`must be a whole number ${bounds}`);
}

/** The longest wait of a timer, in milliseconds: a timer of more than 31 bits fires at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

/** Milliseconds, not always whole. */
export function milliseconds(max: number): Check<number> {
  return (value, refuse) =>
    typeof value === 'number' && value >= 0 && value <= max
      ? value
      : refuse(`must be a number of milliseconds from 0${max === Infinity ? '' : ` to ${max}`}`);
}

export function oneOf<const Value>(values: readonly Value[]): Check<Value> {
  return (value, refuse) =>
    values.includes(value as Value)
      ? (value as Value)
      : refuse(`must be ${values.map((one) => JSON.stringify(one)).join(' or ')}`);
}

/** An array, which is copied: holes become undefined items. */
export function listOf<Item>(item: Check<Item>): Check<readonly Item[]> {
  return (value, refuse) =>
    Array.isArray(value) ? Array.from(value, (one: unknown) => item(one, refuse)) : refuse('must be an array');
}

/** A function; `purpose` is part of the message. */
export function callable<Value extends (...given: never[]) => unknown>(purpose = ''): Check<Value> {
  return (value, refuse) => (typeof value === 'function' ? (value as Value) : refuse(`must be a function${purpose}`));
}

/** A clock of the user's. */
export const clock: Check<() => number> = callable(' that returns milliseconds since the Unix epoch');

/**
 * The time of a user's clock: whole milliseconds since the Unix epoch.
 *
 * @param whose the start of the message
 * @param latest the latest time that a clock may give
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
    problem = `gave ${typeof said === 'number' ? said : isPromise(said) ? 'a promise' : typeof said}`;
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

/** Not checked here: the code that uses it does. */
export const anything: Check<unknown> = (value) => value;

export const abortSignal: Check<AbortSignal> = (value, refuse) =>
  isAbortSignal(value) ? value : refuse('must be an AbortSignal');

const tagOf = (value: unknown): string => Object.prototype.toString.call(value);

function unknownOption(name: string, known: readonly string[]): string {
  const nearest = nearestTo(name, known);
  const meant = nearest === undefined ? '.' : `: did you mean ${nearest}?`;
  return `there is no option ${shownName(name)}${meant} There ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}
