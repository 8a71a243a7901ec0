/** Batches that got no answer: they may be stored or not. What callers are told, and what makes sending the same ids again safe. */
import { Closed, hasCode, isTidemarkError, StoreUnavailable } from '../../errors.ts';
import type { Appended, Batch, Stored } from '../../store/store.ts';
import type { BatchCalls } from './for-batch.ts';
import type { Draft } from './draft.ts';
import type { Entry } from './entry.ts';

/** Sends a batch. Its entries count as sent until an answer says that they aren't stored. */
export async function send(io: Pick<BatchCalls, 'append'>, draft: Draft, batch: Batch): Promise<Appended> {
  for (const { entry } of draft.drafted) entry.sent = true;
  let appended: Appended;
  try {
    appended = await io.append(batch);
  } catch (error) {
    notStored(draft, error);
    throw error;
  }
  const commits = appended.status === 'stored' ? appended.commits : [];
  for (const [index, { entry }] of draft.drafted.entries()) if (!commits[index]) entry.sent = false;
  return appended;
}

/** A batch isn't stored, or got no answer: then the ledger may show the commits of these very callers. */
export function notStored({ batch, drafted }: Draft, error: unknown, receipt?: Stored): void {
  const inDoubt = isInDoubt(error);
  for (const [index, { entry }] of drafted.entries()) {
    // A commit that was refused wasn't stored.
    if (receipt && !receipt.commits[index]) continue;
    entry.sent = inDoubt;
    if (inDoubt) entry.sentAfter ??= batch!.seen.position;
  }
}

/** The error for an entry whose batch failed; `isOver` once nothing is sent any more. */
export function toldOf({ inDoubt }: Entry, error: unknown, isOver: boolean): unknown {
  if (inDoubt) return hasCode(error, 'Closed') ? closedInDoubt(error) : stillInDoubt(error);
  // It was never sent, even if others of its batch are in doubt.
  if (isOver) return closedError();
  return isInDoubt(error) ? neverSent(error) : error;
}

/** The error for a command in doubt when a later try fails: that try stored nothing, but an earlier one may have. */
export function stillInDoubt(error: unknown): unknown {
  // The id is another command's, so it isn't stored; and nothing is sent again to a store that went back.
  if (hasCode(error, 'CommandIdReused', 'HistoryDiverged')) return error;
  if (!isTidemarkError(error) || isInDoubt(error)) return error;
  return new StoreUnavailable(
    `An earlier try got no answer, and may have been stored; sending it again failed: ${error.message} Send the command again with the same id: it is stored once.`,
    { ...error.details, unknown: true },
    error,
  );
}

/** The error for a command that was to be sent after a batch in doubt. */
function neverSent(error: unknown): StoreUnavailable {
  return new StoreUnavailable(
    'The store gave no answer to an earlier batch, so this command wasn’t sent: nothing was recorded. Send it again later.',
    { unknown: false },
    error,
  );
}

export function isInDoubt(error: unknown): boolean {
  return hasCode(error, 'StoreUnavailable') && error.details['unknown'] === true;
}

/** The error for a command that was sent, and not answered before the application was closed. */
export function closedInDoubt(error?: unknown): StoreUnavailable {
  return new StoreUnavailable(
    'The application was closed before the store had answered: the command may have been stored. Send it again with the same id once the store is back: it is stored once.',
    { unknown: true },
    error,
  );
}

export function closedError(): Closed {
  return new Closed('The application has been closed: nothing was recorded. Open it again to go on.');
}
