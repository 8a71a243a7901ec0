/**
 * Bounds of a range as whole numbers with the same meaning, so that all stores answer alike: `after: 1.5` is `after: 1`. What
 * is below 0 is 0; NaN is no bound.
 */
import { PAGE_ROWS_MAX } from './store.ts';

/**
 * An exclusive lower bound.
 *
 * @example
 * ```ts
 * import { lowerBound, pageRows, upperBound } from 'tidemark/store';
 *
 * console.log(lowerBound(1.5), lowerBound(-5), lowerBound(undefined)); // 1 0 0
 * console.log(upperBound(7.5), upperBound(undefined)); // 7 Infinity
 * console.log(pageRows(5_000), pageRows(0.5)); // 1000 0
 * ```
 */
export function lowerBound(after: number | undefined): number {
  return Math.max(0, Math.floor(after ?? 0) || 0);
}

/** An inclusive upper bound. */
export function upperBound(upTo: number | undefined): number {
  return upTo === undefined || Number.isNaN(upTo) ? Infinity : Math.max(0, Math.floor(upTo));
}

/** Most rows of a page. */
export function pageRows(limit: number): number {
  return Math.min(lowerBound(limit), PAGE_ROWS_MAX);
}
