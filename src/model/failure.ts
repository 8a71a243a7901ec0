/** A command's "no": an outcome like any other, stored as an event. */
import { markOf } from '../realm.ts';
import { brand, brandOf } from './brand.ts';
import type { AsJson } from './event.ts';
import { plainCopy } from './json.ts';

/** What `failure` returns, to be returned from `decide`. */
export interface Failure<Reason extends string = string, Details extends object = object> {
  readonly failure: Reason;
  readonly details: Details;
}

/** The fields that every failure's event has. They never hold an id. */
export const FAILURE_FIELDS = ['reason', 'details'] as const;

/** Larger details aren't copied: storing refuses them, and a test may look at them. */
const COPIED_BYTES_MAX = 1024 * 1024;

const MARK = markOf('failure');

/**
 * Refuses the command for a reason that the caller can act on. It is recorded: the failure becomes an event,
 * `{ type: 'BUY_SERVICE_FAILED', reason, details, …ids }`, and the outcome's `reason` is inferred from all of them.
 *
 * @param reason non-empty, by convention in capitals: `'SOLD_OUT'`
 * @param details plain JSON that goes with it, at most 16 KiB
 *
 * @example
 * ```ts
 * import { failure } from 'tidemark';
 *
 * failure('OVERDRAFT', { available: 120 });
 * ```
 */
export function failure<const Reason extends string, const Details extends object = Record<never, never>>(
  reason: Reason,
  details?: Details & (Details extends AsJson<Details> ? unknown : AsJson<Details>),
): Failure<Reason, Details> {
  const copied = plainCopy(details ?? {}, COPIED_BYTES_MAX);
  // What isn't plain is found where it would be stored; a test may expect it by a matcher.
  const kept = ('copy' in copied ? copied.copy : details) as Details;
  return Object.freeze(brand({ failure: reason, details: kept }, MARK, true));
}

/** Whether `failure` made the value: an object that merely looks like one is no failure. @throws see {@link brandOf} */
export function isFailure(value: unknown): value is Failure {
  return brandOf(value, MARK) === true;
}
