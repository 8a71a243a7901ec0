/** Bounds as PostgreSQL takes them: a `bigint` holds no Infinity, and nothing that a log has is beyond 2^53. */
import { lowerBound, upperBound } from '../page-bounds.ts';

const MOST = Number.MAX_SAFE_INTEGER;

/** An exclusive lower bound. */
export function above(after: number | undefined): string {
  return String(Math.min(lowerBound(after), MOST));
}

/** An inclusive upper bound. */
export function upTo(last: number | undefined): string {
  return String(Math.min(upperBound(last), MOST));
}
