import { Buffer } from 'node:buffer';
import { types } from 'node:util';

/**
 * Whether values are valid in a log. STRICT tables check what SQL writes, but not flipped bits or tables made by hand. Without
 * these checks, damage would show as a TypeError or a wrong answer.
 */

/** A whole number from 0 that JavaScript holds exactly: a position, version or time. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The same from 1. */
export function isCount(value: unknown): value is number {
  return isWhole(value) && value > 0;
}

/** The chain has 32 bits for it. */
export function isSchemaVersion(value: unknown): value is number {
  return isWhole(value) && value <= 0xffff_ffff;
}

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

/** The digits of a hash; undefined if it has another length. */
export function hexOf(hash: unknown): string | undefined {
  if (!types.isUint8Array(hash) || hash.length !== 32) return undefined;
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('hex');
}
