/** Points of the log that a caller has kept: a position, and the chain's hash there. */
import type { Check } from '../limits.ts';
import type { LogPoint } from '../store/store.ts';

/** A copy of it: whatever else is said beside it, as by `status()`, is let through. */
export const logPoint: Check<LogPoint> = (value, refuse) => {
  const { position, hash } = (value ?? {}) as Partial<LogPoint>;
  if (Number.isSafeInteger(position) && position! >= 0 && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash))
    return { position: position!, hash };
  return refuse('must be { position, hash } as status() or verify() gave them');
};
