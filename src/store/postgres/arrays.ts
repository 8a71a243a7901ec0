/**
 * Arrays in PostgreSQL's binary form. `pg` sends a Buffer as a binary parameter; as text every element would be escaped here
 * and parsed there.
 *
 *     int32 dimensions (0 or 1), int32 whether there are nulls, int32 oid of the elements' type,
 *     int32 length and int32 lower bound (if there is a dimension), then for each element int32 bytes (-1: null), bytes.
 */
import { Buffer } from 'node:buffer';

const OIDS = { boolean: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25 } as const;
const HEADER = 20;

/** `size`: room for all elements and their lengths, in bytes. `write` returns how many bytes it has written. */
function arrayOf<T>(
  type: keyof typeof OIDS,
  size: number,
  values: readonly (T | undefined)[],
  write: (bytes: Buffer, value: T, at: number) => number,
): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER + size);
  let nulls = false;
  let at = HEADER;
  for (const value of values) {
    if (value === undefined) nulls = true;
    const written = value === undefined ? -1 : write(bytes, value, at + 4);
    bytes.writeInt32BE(written, at);
    at += 4 + Math.max(0, written);
  }
  bytes.writeInt32BE(values.length === 0 ? 0 : 1, 0);
  bytes.writeInt32BE(nulls ? 1 : 0, 4);
  bytes.writeInt32BE(OIDS[type], 8);
  bytes.writeInt32BE(values.length, 12);
  bytes.writeInt32BE(1, 16);
  return bytes.subarray(0, values.length === 0 ? 12 : at);
}

// Buffer returns the place after a number that it has written.
export function int2s(values: readonly number[]): Buffer {
  return arrayOf('int2', values.length * 6, values, (bytes, value, at) => bytes.writeInt16BE(value, at) - at);
}

export function int4s(values: readonly number[]): Buffer {
  return arrayOf('int4', values.length * 8, values, (bytes, value, at) => bytes.writeInt32BE(value, at) - at);
}

/** Whole numbers from 0 to 2^53, or nulls. */
export function int8s(values: readonly (number | undefined)[]): Buffer {
  return arrayOf('int8', values.length * 12, values, (bytes, value, at) => {
    bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at);
    return bytes.writeUInt32BE(value % 2 ** 32, at + 4) - at;
  });
}

export function booleans(values: readonly boolean[]): Buffer {
  return arrayOf('boolean', values.length * 5, values, (bytes, value, at) => bytes.writeUInt8(value ? 1 : 0, at) - at);
}

/** Hashes, given as 64 hexadecimal digits. */
export function hashes(values: readonly string[]): Buffer {
  return arrayOf('bytea', values.length * 36, values, (bytes, value, at) => bytes.write(value, at, 32, 'hex'));
}

/** Bytes of any length. */
export function byteStrings(values: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const { byteLength } of values) size += 4 + byteLength;
  return arrayOf('bytea', size, values, (bytes, value, at) => {
    bytes.set(value, at);
    return value.byteLength;
  });
}

/** Null instead of an array of nulls: unnest() makes the same of both. */
export function int8sOrNull(values: readonly (number | undefined)[]): Buffer | null {
  return values.some((value) => value !== undefined) ? int8s(values) : null;
}

/** Null instead of an array of nulls. */
export function textsOrNull(values: readonly (string | undefined)[]): Buffer | null {
  return values.some((value) => value !== undefined) ? texts(values) : null;
}

export function texts(values: readonly (string | undefined)[]): Buffer {
  return utf8s(values, 'text');
}

/** Texts as bytes in UTF-8. */
export function textBytes(values: readonly string[]): Buffer {
  return utf8s(values, 'bytea');
}

function utf8s(values: readonly (string | undefined)[], type: 'text' | 'bytea'): Buffer {
  let size = 0;
  // UTF-8 needs at most three bytes for a UTF-16 code unit, so no text must be measured first.
  for (const value of values) size += 4 + (value === undefined ? 0 : value.length * 3);
  return arrayOf(type, size, values, (bytes, value, at) => bytes.write(value, at, 'utf8'));
}
