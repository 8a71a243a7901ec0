/** Points of the log that callers keep: a position, and the hash of its commit. A log that holds a point holds all before it. */
import { HistoryDiverged } from '../../errors.ts';
import type { Check } from '../../options.ts';
import { GENESIS_HASH } from '../../store/chain.ts';
import type { LogPoint, Session } from '../../store/store.ts';

/** A copy: other fields, as `status()` has them, are ignored. */
export const logPoint: Check<LogPoint> = (value, refuse) => {
  const { position, hash } = (value ?? {}) as Partial<LogPoint>;
  if (Number.isSafeInteger(position) && position! >= 0 && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash))
    return { position: position!, hash };
  return refuse('must be { position, hash } as an event, status() or verify() gave them');
};

/** Whether the log has that position in a commit with that hash. */
export async function holdsPoint(session: Pick<Session, 'commits'>, { position, hash }: LogPoint): Promise<boolean> {
  if (position === 0) return hash === GENESIS_HASH;
  const [commit] = await session.commits({ upTo: position, reverse: true, limit: 1 });
  return commit?.hash === hash && position < commit.position + commit.eventCount;
}

/**
 * Checks that a reader goes on from a place of this log, which ends at `end`.
 *
 * @throws HistoryDiverged if the log is shorter, or has another hash there. It may still hold all that this server has seen.
 */
export async function assertHeld(
  session: Pick<Session, 'commits'>,
  after: { readonly position: number; readonly hash?: string },
  end: number,
): Promise<void> {
  const { position, hash } = after;
  if (position > end) throw elsewhere(`ends at ${end}, and has no position ${position} to go on from`, { after, end });
  if (hash === undefined || (await holdsPoint(session, { position, hash }))) return;
  throw elsewhere(`doesn't hold position ${position} with the hash ${hash}`, { after, end });
}

/** The error for a place that isn't on this log. */
export function elsewhere(what: string, details: Readonly<Record<string, unknown>>): HistoryDiverged {
  return new HistoryDiverged(
    `The log ${what}: it is an older copy, or another log. Find the copy that holds what was read there, or begin anew at a ` +
      'place that this log has: what it holds after that may be another history.',
    details,
  );
}
