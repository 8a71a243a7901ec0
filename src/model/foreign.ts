/** Values of the user's code that aren't what they should be: handling them must not fail itself. */

import { InvalidDefinition, isTidemarkError, type InvalidInput } from '../errors.ts';

/** Name and message of any thrown value: shortened, and text that can be stored. */
export function describeError(error: unknown): { readonly name: string; readonly message: string } {
  try {
    if (!Error.isError(error)) return { name: typeof error, message: presentable(textOf(error), 1_000) };
    return {
      name: presentable(textOf(error.name), 200) || 'Error',
      message: presentable(textOf(error.message), 1_000),
    };
  } catch {
    return { name: typeof error, message: 'the thrown value cannot be described' };
  }
}

/** A thrown value in a message: `TypeError: x is not a function`. */
export function thrown(error: unknown): string {
  const { name, message } = describeError(error);
  return `${name}: ${message}`;
}

/** Reads what the user passes; getters and proxies may throw. @throws InvalidDefinition, or `Wrong` */
export function reading<T>(
  what: string,
  read: () => T,
  Wrong: typeof InvalidDefinition | typeof InvalidInput = InvalidDefinition,
): T {
  try {
    return read();
  } catch (cause) {
    if (isTidemarkError(cause)) throw cause;
    throw new Wrong(`${what} is given something that can’t be used: ${thrown(cause)}.`, {}, cause);
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  // Written out, an array of arrays may be longer than any memory.
  return Array.isArray(value) ? `an array of ${value.length}` : String(value);
}

function presentable(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll('\0', '\u{fffd}').toWellFormed();
}
