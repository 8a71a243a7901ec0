/**
 * Values as PostgreSQL sends them: texts. What isn't what a log can hold is named here, rather than met as a TypeError
 * above, or as a wrong answer.
 */
import { corrupt } from '../corrupt.ts';
import type { Value } from './connecting/connection.ts';

type Where = Readonly<Record<string, unknown>>;

/** A whole number from 0 that JavaScript holds exactly: a position, version or time. */
export function whole(value: Value | number | undefined, what: string, where: Where = {}): number {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isSafeInteger(number) || number < 0) {
    throw corrupt(`${what} isn't valid`, where);
  }
  return number;
}

/** The same from 1. */
export function count(value: Value | undefined, what: string, where: Where = {}): number {
  const number = whole(value, what, where);
  if (number === 0) throw corrupt(`${what} isn't valid`, where);
  return number;
}

/** A number that the chain has 32 bits for. */
export function schemaVersion(value: Value | number | undefined, where: Where): number {
  const number = whole(value, 'a schema version', where);
  if (number > 0xffff_ffff) throw corrupt("a schema version isn't valid", where);
  return number;
}

export function text(value: Value | undefined, what: string, where: Where): string {
  if (typeof value !== 'string') throw corrupt(`${what} is missing`, where);
  return value;
}

/** 32 bytes, as the 64 hexadecimal digits that `encode` gives: how PostgreSQL shows a `bytea` by itself is a setting. */
export function hash(value: Value | undefined, where: Where): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw corrupt("a hash isn't valid", where);
  return value;
}

/** `{1,2,3}`. An array that is missing is empty. */
export function numbers(value: Value | undefined): readonly number[] {
  if (value === null || value === undefined || value === '{}') return [];
  return value.slice(1, -1).split(',').map(Number);
}
