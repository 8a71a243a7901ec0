/**
 * Bounds of a range as whole numbers that mean the same, so that every engine answers alike: positions and versions are
 * whole, hence `after: 1.5` is `after: 1`. What is below 0 is 0; what is no number is left out.
 */
import { PAGE_ROWS_MAX } from './store.ts';

/** An exclusive lower bound. */
export function lowerBound(after: number | undefined): number {
  return Math.max(0, Math.floor(after ?? 0) || 0);
}

/** An inclusive upper bound. */
export function upperBound(upTo: number | undefined): number {
  return upTo === undefined || Number.isNaN(upTo) ? Infinity : Math.max(0, Math.floor(upTo));
}

/** How many rows a page has, at most. */
export function pageRows(limit: number): number {
  return Math.min(lowerBound(limit), PAGE_ROWS_MAX);
}
