/**
 * Values as PostgreSQL sends and takes them. It sends texts: one that no log can hold is reported here, before it can cause
 * a TypeError or a wrong answer.
 */
import { corrupt } from '../corrupt.ts';
import { lowerBound, upperBound } from '../page-bounds.ts';
import type { Value } from './connecting/connection.ts';

type Where = Readonly<Record<string, unknown>>;

/** The nearest number that a `bigint` and JavaScript both hold. No number in a log is above 2^53. */
export function bounded(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** An exclusive lower bound, as a `bigint`. */
export function above(after: number | undefined): string {
  return String(bounded(lowerBound(after)));
}

/** An inclusive upper bound, as a `bigint`. */
export function upTo(last: number | undefined): string {
  return String(bounded(upperBound(last)));
}

/** A whole number from 0 to 2^53: a position, version or time. */
export function whole(value: Value | number | undefined, what: string, where: Where = {}): number {
  const number = Number(value);
  if (value === null || value === undefined || !Number.isSafeInteger(number) || number < 0) {
    throw corrupt(`${what} isn't valid`, where);
  }
  return number;
}

/** A whole number from 1. */
export function count(value: Value | undefined, what: string, where: Where = {}): number {
  const number = whole(value, what, where);
  if (number === 0) throw corrupt(`${what} isn't valid`, where);
  return number;
}

/** A whole number of 32 bits, as the chain has room for. */
export function schemaVersion(value: Value | number | undefined, where: Where): number {
  const number = whole(value, 'a schema version', where);
  if (number > 0xffff_ffff) throw corrupt("a schema version isn't valid", where);
  return number;
}

export function text(value: Value | undefined, what: string, where: Where): string {
  if (typeof value !== 'string') throw corrupt(`${what} is missing`, where);
  return value;
}

/** 32 bytes as 64 hexadecimal digits, made by `encode`: how PostgreSQL itself shows a `bytea` depends on a setting. */
export function hash(value: Value | undefined, where: Where): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw corrupt("a hash isn't valid", where);
  return value;
}

/** An array of numbers, `{1,2,3}`. Null is an empty one. */
export function numbers(value: Value | undefined): readonly number[] {
  if (value === null || value === undefined || value === '{}') return [];
  return value.slice(1, -1).split(',').map(Number);
}
