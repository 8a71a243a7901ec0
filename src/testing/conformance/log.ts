/**
 * One log under test, and the sessions that a case opens on it.
 */
import assert from 'node:assert/strict';
import type {
  Appended,
  Batch,
  Commit,
  DocumentHead,
  DocumentRef,
  HeldType,
  LogPoint,
  Refused,
  Registry,
  Session,
  Store,
  Stored,
  StoredAt,
  StoredCommit,
  StoredEvent,
} from '../../store/store.ts';
import { above, ALL, COLLECTIONS, GENESIS, HANDLED } from './batches.ts';
import { plain } from './plain.ts';
import { register } from './registered.ts';

/** The other parts of a batch. Each has a default. */
export interface Sending extends Partial<Omit<Batch, 'commits'>> {
  /** Who sends it. Default: the first session. */
  readonly by?: Pick<Session, 'append'>;
}

/** None of its commits fell. */
export interface StoredWhole extends Stored {
  readonly commits: readonly StoredAt[];
}

function isWhole(answer: Appended): answer is StoredWhole {
  return answer.status === 'stored' && !answer.commits.includes(undefined);
}

export class TestLog {
  readonly store: Store;
  /** The session that a case uses unless it needs several. */
  readonly session: Session;
  /** As it was after {@link COLLECTIONS} were registered. */
  readonly registry: Registry;
  /** The end of the log after the last batch that was stored through this object. */
  end: LogPoint = GENESIS;
  readonly #sessions: Session[];

  private constructor(store: Store, session: Session, registry: Registry) {
    this.store = store;
    this.session = session;
    this.registry = registry;
    this.#sessions = [session];
  }

  /** Opens the log, and registers the collections that all cases use. */
  static async on(store: Store): Promise<TestLog> {
    const session = await store.open();
    try {
      return new TestLog(store, session, await register(session, COLLECTIONS));
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** The generation after {@link COLLECTIONS} were registered. */
  get generation(): number {
    return this.registry.generation;
  }

  /** Another server on the same log. */
  async open(): Promise<Session> {
    const session = await this.store.open();
    this.#sessions.push(session);
    return session;
  }

  /** `count` sessions, including the first one. */
  async sessions(count: number): Promise<Session[]> {
    while (this.#sessions.length < count) await this.open();
    return this.#sessions.slice(0, count);
  }

  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }

  batch(commits: Commit | readonly Commit[], sending: Omit<Sending, 'by'> = {}): Batch {
    const { seen = this.end, generation = this.generation, handled = HANDLED, reads = [] } = sending;
    const all = Array.from(reads, (_, row) => row);
    const placed = ('command' in commits ? [commits] : commits).map((one) =>
      one.reads === ALL ? Object.assign({}, one, { reads: all }) : one,
    );
    return { seen, generation, handled, reads, commits: placed };
  }

  /** Sends a batch, whatever the answer. */
  async send(commits: Commit | readonly Commit[], { by = this.session, ...sending }: Sending = {}): Promise<Appended> {
    const answer = await by.append(this.batch(commits, sending));
    // Several may be sent at once, and be answered in any order.
    if (answer.status === 'stored' && answer.end.position > this.end.position) this.end = answer.end;
    return answer;
  }

  /** Sends a batch that must be stored whole. */
  async append(commits: Commit | readonly Commit[], sending?: Sending): Promise<StoredWhole> {
    const answer = await this.send(commits, sending);
    assert(isWhole(answer), `expected the batch to be stored whole, got ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Sends a batch of which a part must be stored, and says which commits fell. */
  async appendPart(
    commits: readonly Commit[],
    sending?: Sending,
  ): Promise<Stored & { readonly fell: readonly string[] }> {
    const answer = await this.send(commits, sending);
    assert(answer.status === 'stored', `expected a part of the batch to be stored, got ${JSON.stringify(answer)}`);
    const fell = commits.filter((_, index) => !answer.commits[index]).map(({ command }) => command.id);
    return { ...answer, fell };
  }

  /** Sends a batch that must be refused. */
  async refuse(commits: Commit | readonly Commit[], sending?: Sending): Promise<Refused> {
    const answer = await this.send(commits, sending);
    assert(answer.status === 'refused', `expected the batch to be refused, got ${JSON.stringify(answer)}`);
    return answer;
  }

  async head(ref: DocumentRef, session: Session = this.session): Promise<number> {
    const { documents } = await session.load([above(ref, 0, 0)]);
    return documents[0]!.head;
  }

  /** Runs something that must leave the log as it was. */
  async unchangedBy<T>(work: () => Promise<T>): Promise<T> {
    const before = await everything(this.session);
    const result = await work();
    assert.deepEqual(plain(await everything(this.session)), plain(before), 'the log changed');
    return result;
  }
}

export interface Everything {
  readonly registry: Registry;
  readonly events: readonly StoredEvent[];
  readonly commits: readonly StoredCommit[];
  readonly types: readonly HeldType[];
  readonly documents: readonly DocumentHead[];
  readonly ledger: readonly StoredCommit[];
}

/** All that a log holds, page by page. */
export async function everything(session: Session): Promise<Everything> {
  const commits = await allPages<StoredCommit>((last) => session.commits({ after: last?.position, limit: 500 }));
  const types = await allPages<HeldType>((last) => session.types({ after: last?.position, limit: 500 }));
  const documents = await allPages<DocumentHead>((last) => session.documents({ after: last, limit: 500 }));
  const ledger = await session.ledger([...new Set(commits.map(({ command }) => command.id))]);
  return {
    registry: await session.registry(),
    events: await allEvents(session),
    commits,
    types,
    documents,
    ledger: [...ledger].sort((a, b) => a.position - b.position),
  };
}

/** More pages than any log of this suite has. A store whose pages never end must fail, not hang. */
const PAGES_MAX = 20_000;

/** Every row of a list that is asked for page by page, each page by the last row before it. */
export async function allPages<T>(page: (last: T | undefined) => Promise<readonly T[]>): Promise<T[]> {
  const found: T[] = [];
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const more = await page(found.at(-1));
    if (more.length === 0) return found;
    found.push(...more);
  }
  assert.fail('the pages come to no end');
}

/** The whole log, forward or backward, perhaps of some types only. */
export async function allEvents(
  session: Session,
  { types, reverse = false, limit = 500 }: { types?: readonly string[]; reverse?: boolean; limit?: number } = {},
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let next: number | undefined;
  do {
    const page = await session.read(reverse ? { before: next, types, reverse, limit } : { after: next, types, limit });
    assert(page.events.length <= limit, 'a page holds more than its limit');
    if (page.next !== undefined) {
      const from = next ?? (reverse ? Infinity : 0);
      const progressed = reverse
        ? page.next < from && page.next > 0
        : page.next > from && page.next < page.end.position;
      assert(progressed, `the page after ${next} leads to ${page.next}`);
    }
    events.push(...page.events);
    next = page.next;
  } while (next !== undefined);
  return events;
}
