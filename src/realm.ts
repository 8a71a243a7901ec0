/**
 * Values that may come from another realm (Jest and vitest's `vmThreads` run tests in a `vm` context with its own `Object`,
 * `Error` and `Uint8Array`; `node:sqlite` and `structuredClone` answer with the main one's) or from another copy of this
 * package. `instanceof` knows neither, so it is not used. A context need not have Node's globals either: they are imported.
 */
import { transferableAbortController } from 'node:util';

/** An `AbortController`, also where no global has that name. */
export function abortController(): AbortController {
  return transferableAbortController();
}

/** Whether a value works as an `AbortSignal`: those of jsdom and of polyfills do too. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  // The type of `aborted` tells a real one from a lookalike.
  const { aborted, addEventListener, removeEventListener, throwIfAborted } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    [addEventListener, removeEventListener, throwIfAborted].every((method) => typeof method === 'function')
  );
}
/** Whether a value is a promise of any library. Its rejection is handled here, so that it can't end the process. */
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
/** The text of any realm's `Object`. A class of that name, a proxy or a bound function has another. */
const NATIVE_OBJECT = Function.prototype.toString.call(Object);

/** `Object.prototype` of other realms, once met. */
const known = new WeakSet<object>();

/** Whether an object has no class: made by `{}` or `JSON.parse` in any realm, or without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return isObjectPrototype(prototype as object);
}

function isObjectPrototype(prototype: object): boolean {
  if (known.has(prototype)) return true;
  if (Object.getPrototypeOf(prototype) !== null) return false;
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof maker !== 'function' || maker.prototype !== prototype) return false;
  if (Function.prototype.toString.call(maker) !== NATIVE_OBJECT) return false;
  known.add(prototype);
  return true;
}

/** Whether an array has no class of the user's: made by `[]` or `JSON.parse` in any realm. */
export function isPlainArray(value: readonly unknown[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return true;
  // `Array.prototype` of any realm is an array itself; its prototype is that realm's `Object.prototype`.
  if (!Array.isArray(prototype)) return false;
  const parent: unknown = Object.getPrototypeOf(prototype);
  return parent !== null && isObjectPrototype(parent as object);
}

/** A symbol that every copy of this package knows. */
export const markOf = (kind: string): symbol => Symbol.for(`tidemark.${kind}`);
