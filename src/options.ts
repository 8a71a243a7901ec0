/** The one check that the options of every public function go through. */
import { InvalidDefinition, InvalidInput, isTidemarkError, type ErrorDetails } from './errors.ts';
import { nearestTo, shownName } from './nearest.ts';
import { isAbortSignal } from './realm.ts';

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
