/** What callers do to their own objects once a call has returned: nobody may have kept them. */

/** Turns lists round and writes over fields, in whatever holds data and isn't frozen. */
export function spoil(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (Array.isArray(value)) {
    value.forEach(spoil);
    value.reverse().push('spoiled');
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    const fields = value as Record<string, unknown>;
    for (const name of Object.keys(fields)) {
      spoil(fields[name]);
      fields[name] = 'spoiled';
    }
  }
}
