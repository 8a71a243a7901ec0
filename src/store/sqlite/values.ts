/**
 * Whether values are what a log can hold. STRICT tables keep SQL to it, but neither a flipped bit nor a table that was
 * made again by hand: what isn't looked at here would be met as a TypeError above, or as a wrong answer.
 */

/** A whole number from 0 that JavaScript holds exactly: a position, version or time. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The same from 1. */
export function isCount(value: unknown): value is number {
  return isWhole(value) && value > 0;
}

/** A number that the chain has 32 bits for. */
export function isSchemaVersion(value: unknown): value is number {
  return isWhole(value) && value <= 0xffff_ffff;
}

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
