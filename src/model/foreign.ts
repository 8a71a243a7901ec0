/**
 * What the user's code may hand over that nobody expects: errors that are no errors, promises where a value should be.
 * Handling them must not itself go wrong.
 */

import { InvalidDefinition, isTidemarkError, type InvalidInput } from '../errors.ts';

/** An error's name and message, whatever was thrown: cut, and text that can be stored. */
export function describeError(error: unknown): { readonly name: string; readonly message: string } {
  try {
    if (!Error.isError(error)) return { name: typeof error, message: presentable(textOf(error), 1_000) };
    return {
      name: presentable(textOf(error.name), 200) || 'Error',
      message: presentable(textOf(error.message), 1_000),
    };
  } catch {
    return { name: typeof error, message: 'what was thrown cannot be described' };
  }
}

/** How what was thrown reads in a message: `TypeError: x is not a function`. */
export function thrown(error: unknown): string {
  const { name, message } = describeError(error);
  return `${name}: ${message}`;
}

/**
 * Whether a value is a promise (of any library) where none may be. Nobody will wait for it, so its rejection is taken
 * care of here: it must not end the process.
 */
export function isPromise(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  try {
    if (typeof (value as { then?: unknown }).then !== 'function') return false;
  } catch {
    return false;
  }
  Promise.resolve(value).catch(() => undefined);
  return true;
}

/** Reads what the user passes: getters and proxies that throw are named too. @throws InvalidDefinition, or `Wrong` */
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
  // Written out, an array of a few arrays may be longer than any memory.
  return Array.isArray(value) ? `an array of ${value.length}` : String(value);
}

function presentable(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll('\0', '\u{fffd}').toWellFormed();
}
