/** Answers from the ledger: a command id has at most one final outcome (law 1). */
import { CommandIdReused } from '../../errors.ts';
import type { CommandFacts, Session, StoredCommit } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { isUnreadable, recorded, type RecordedEvent } from '../reading/recorded.ts';
import type { Request } from './request.ts';

/**
 * The outcome of a stored commit, with its events read from the log; without them if this code can't read one.
 *
 * @throws HistoryDiverged if the log no longer holds what the ledger just showed
 */
export async function replay(
  core: Core,
  commit: StoredCommit,
  io: Pick<Session, 'read'> = core.session,
): Promise<Outcome> {
  const last = commit.position + commit.eventCount - 1;
  const events: RecordedEvent[] = [];
  let unreadable: Outcome['unreadable'];
  let after: number | undefined = commit.position - 1;
  while (after !== undefined && after < last) {
    const page = await io.read({ after, before: last + 1, limit: last - after });
    for (const stored of page.events) {
      if (stored.commit.hash !== commit.hash) throw core.watermark.diverge(page.end);
      try {
        if (!unreadable) events.push(recorded(core.events, stored));
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        unreadable = error;
      }
    }
    if (page.end.position < last) throw core.watermark.diverge(page.end);
    after = page.next;
  }
  core.watermark.tell(last);
  const outcome = outcomeOf(commit, unreadable ? [] : events, last, { replayed: true });
  return unreadable ? Object.freeze({ ...outcome, unreadable }) : outcome;
}

/** @throws CommandIdReused if the id is another command's, or of another input or actor */
export function assertSame({ command, facts }: Request, before: CommandFacts): void {
  if (before.fingerprint === facts.fingerprint) return;
  const what = before.name === facts.name ? 'another input or actor' : `the command ${before.name}`;
  throw new CommandIdReused(
    `The command id ${JSON.stringify(facts.id)} was used before, for ${what}. Nothing was recorded: send ${command.name} with an id of its own.`,
    { id: facts.id, command: facts.name, usedBy: before.name },
  );
}
