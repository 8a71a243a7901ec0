/**
 * Whether a batch was stored can't always be told: it got no answer, or was given up. What its callers hear then, and what is
 * remembered of them, so that sending the same ids again is safe.
 */
import { Closed, hasCode, isTidemarkError, StoreUnavailable } from '../../errors.ts';
import type { Appended, Batch, Locked, Stored } from '../../store/store.ts';
import type { Draft } from './draft.ts';
import type { Entry } from './entry.ts';

/** Sends a batch to be stored. Its entries are marked as sent until an answer comes that says that they aren't stored. */
export async function send(io: Pick<Locked, 'append'>, draft: Draft, batch: Batch): Promise<Appended> {
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

/** A batch that was sent isn't stored; or got no answer: then the ledger may show the commits of these very callers. */
export function notStored({ batch, drafted }: Draft, error: unknown, receipt?: Stored): void {
  const inDoubt = isInDoubt(error);
  for (const [index, { entry }] of drafted.entries()) {
    // What fell wasn’t sent to be stored.
    if (receipt && !receipt.commits[index]) continue;
    entry.sent = inDoubt;
    if (inDoubt) entry.sentAfter ??= batch!.seen.position;
  }
}

/** What is told of an entry whose batch went wrong; `isOver` once nothing is sent any more. */
export function toldOf({ inDoubt }: Entry, error: unknown, isOver: boolean): unknown {
  if (inDoubt) return hasCode(error, 'Closed') ? closedInDoubt(error) : stillInDoubt(error);
  // Whatever keeps the others of its batch in doubt: it was never sent.
  if (isOver) return closedError();
  return isInDoubt(error) ? neverSent(error) : error;
}

/**
 * What is told of a commit that got no answer when a later try fails: that try stored nothing, but the one before may
 * have been stored, or still be on its way.
 */
export function stillInDoubt(error: unknown): unknown {
  // Another's command has this id, so it isn't stored; and on a store that went back nothing is sent again.
  if (hasCode(error, 'CommandIdReused', 'HistoryDiverged')) return error;
  if (!isTidemarkError(error) || isInDoubt(error)) return error;
  return new StoreUnavailable(
    `An earlier try got no answer, and may have been stored; sending it again failed: ${error.message} Send the command again with the same id: it is stored once.`,
    { ...error.details, unknown: true },
    error,
  );
}

/** What is told of one who was to be sent after what is in doubt. */
function neverSent(error: unknown): StoreUnavailable {
  return new StoreUnavailable(
    'The store gave no answer to what came before this command, and it wasn’t sent: nothing was recorded. Send it again later.',
    { unknown: false },
    error,
  );
}

export function isInDoubt(error: unknown): boolean {
  return hasCode(error, 'StoreUnavailable') && error.details['unknown'] === true;
}

/** What was sent before the application was closed, and never answered. */
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
