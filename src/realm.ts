/**
 * Values that may come from elsewhere: from another realm (Jest and vitest's `vmThreads` run tests in a `vm` context, which
 * has an `Object`, `Error` and `Uint8Array` of its own; `node:sqlite` and `structuredClone` answer with the main one's) or
 * from another copy of this package. `instanceof` knows neither, so nothing here is asked whose child it is.
 *
 * A context need not have Node's globals either: they are imported where they are needed.
 */
import { transferableAbortController } from 'node:util';

/** An `AbortController`, also where no global has that name. That its signal may be sent to a thread costs nothing. */
export function abortController(): AbortController {
  return transferableAbortController();
}

/** Whether a value can be used as an `AbortSignal`: those of jsdom and of polyfills can as well. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  // Asking it whether it has aborted tells a real one from what only looks like it.
  const { aborted, addEventListener, removeEventListener, throwIfAborted } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    [addEventListener, removeEventListener, throwIfAborted].every((method) => typeof method === 'function')
  );
}

/** How `Object` of any realm reads. Nothing else does: not a class of that name, nor a proxy, nor a bound function. */
const NATIVE_OBJECT = Function.prototype.toString.call(Object);

/** `Object.prototype` of other realms, once they were met. */
const known = new WeakSet<object>();

/** Whether an object has no class: made by `{}` or `JSON.parse`, here or in another realm, or without a prototype. */
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

/** Whether an array is of no class of the user's: made by `[]` or `JSON.parse`, here or in another realm. */
export function isPlainArray(value: readonly unknown[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return true;
  // `Array.prototype` of any realm is an array itself, whose prototype is that realm's of objects.
  if (!Array.isArray(prototype)) return false;
  const parent: unknown = Object.getPrototypeOf(prototype);
  return parent !== null && isObjectPrototype(parent as object);
}

/** A symbol that every copy of this package knows. */
export const markOf = (kind: string): symbol => Symbol.for(`tidemark.${kind}`);
