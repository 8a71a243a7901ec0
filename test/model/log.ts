/** The log as a store's own session shows it, without the engine. */
import type { Logged } from '../../simulation/laws/records.ts';
import type { DocumentHead, Session, StoredEvent } from '../../src/store/store.ts';

const PAGE = 500;

/** The commits above a position, with their events. */
export async function commitsFrom(session: Session, position: number): Promise<Logged[]> {
  const events: StoredEvent[] = [];
  for (let after: number | undefined = position; after !== undefined;) {
    const page = await session.read({ after, limit: PAGE });
    events.push(...page.events);
    after = page.next;
  }
  const found: { commit: StoredEvent['commit']; events: StoredEvent[] }[] = [];
  for (const event of events) {
    const last = found.at(-1);
    if (last?.commit.position === event.commit.position) last.events.push(event);
    else found.push({ commit: event.commit, events: [event] });
  }
  return found;
}

export async function allDocuments(session: Session): Promise<DocumentHead[]> {
  const found: DocumentHead[] = [];
  for (;;) {
    const page = await session.documents({ after: found.at(-1), limit: PAGE });
    if (page.length === 0) return found;
    found.push(...page);
  }
}
