/**
 * Compares answers of stores, however their objects are made.
 */
import assert from 'node:assert/strict';

/**
 * The same value as plain objects, without the fields that are undefined: a row from a database has no prototype, and
 * leaves out what an object in memory has as `undefined`.
 */
export function plain(value: unknown): unknown {
  // Not `value.map`, which makes an array of the realm that the value comes from.
  if (Array.isArray(value)) return Array.from(value, plain);
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(present.map(([name, field]) => [name, plain(field)]));
}

/** Both are the same, field by field. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(plain(actual), plain(expected), message);
}

/** The promise rejects with an error of this code, in the form that all errors have. */
export async function throwsCode(code: string, promise: Promise<unknown>): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason ?? new Error('rejected with nothing'),
  );
  assert(Error.isError(error), `expected ${code} to be thrown, but nothing was`);
  // By code, not by class: a store may come with a copy of the package of its own.
  assert.equal((error as { code?: unknown }).code, code, `expected ${code}, got ${error.stack}`);
  assert(error.message.length > 20, 'the message says what happened and what to do');
  const details = (error as { details?: unknown }).details ?? {};
  assert.deepEqual(JSON.parse(JSON.stringify(details)), details, 'details are plain JSON');
}

/** One field of each. */
export function each<T, Field extends keyof T>(items: readonly T[], field: Field): T[Field][] {
  return items.map((item) => item[field]);
}
