/**
 * What callers do to what is theirs: to their own objects once a call has returned, as nobody may have kept them; and to
 * what they are given, as far as it lets itself be changed.
 */

/** Turns lists round and writes over fields, in whatever holds data and isn't frozen, also inside of what is. */
export function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  if (!isList && Object.getPrototypeOf(value) !== Object.prototype) return;
  for (const [name, part] of Object.entries(value)) {
    spoil(part);
    if (!isList) Reflect.set(value, name, 'spoiled');
  }
  if (isList && !Object.isFrozen(value)) value.reverse().push('spoiled');
}
