/** Paths: where a field is in a state. `'address.city'` goes through nested objects; a field of an array isn't found. */
import { PATH_PARTS_MAX } from './bounds.ts';

/** Why it is no path of a state; undefined if it is one. */
export function pathFault(path: string): string | undefined {
  if (!path.isWellFormed() || path.includes('\0')) return 'must be well-formed text without NUL';
  const parts = path.split('.');
  if (parts.includes('')) return 'must be names of fields with dots between them';
  if (parts.some((part) => part.startsWith('$')))
    return 'must not have a part that begins with $: a field of that name can’t be addressed';
  return parts.length > PATH_PARTS_MAX ? `must have at most ${PATH_PARTS_MAX} parts` : undefined;
}

/** The value at a path; undefined if it is missing. */
export function valueAt(state: unknown, parts: readonly string[]): unknown {
  let value = state;
  for (const part of parts) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
