/**
 * Asks a store what the servers of a run asked the simulated store, in the same order, each server by a session of its
 * own, and compares every answer. A store is a deterministic state machine: all that the run met (late appends, sections
 * that were undone, servers that died with the lock) must give the same log on every store.
 */
import type { Loaded, LoadedDocument, Locked, ScanPage, Session, Store, StoredCommit } from '../src/store/store.ts';
import { plain } from '../src/testing/conformance/plain.ts';
import type { Called, Noted } from './journal.ts';
import { same } from './laws/broken.ts';

/** Makes a store on an empty log, by the simulated clock. */
export type MakeReplayed = (clock: { readonly now: () => number }) => Store;

export interface Replayed {
  /** Answers that were the same. */
  readonly answers: number;
  /** What ended it before the run did. */
  readonly ended: string | undefined;
}

/** A section that a session holds the write lock for. */
interface Section {
  readonly locked: Locked;
  readonly over: (how: 'commits' | 'is undone') => Promise<void>;
}

class Undone extends Error {}

/** @throws LawBroken if an answer is another than the simulated store's */
export async function replay(notes: readonly Noted[], makeStore: MakeReplayed): Promise<Replayed> {
  let now = 0;
  const store = makeStore({ now: () => now });
  const sessions = new Map<string, Session>();
  const sessionOf = async (by: string): Promise<Session> => {
    const session = sessions.get(by) ?? (await store.open());
    sessions.set(by, session);
    return session;
  };
  let section: Section | undefined;
  let answers = 0;
  try {
    for (const note of notes) {
      if ('ends' in note) return { answers, ended: note.ends };
      const session = await sessionOf(note.by);
      if ('call' in note) {
        now = note.now;
        await compare(note, note.locked ? section!.locked : session);
        answers += 1;
      } else if (note.section === 'begins') section = await begin(session);
      else {
        await section!.over(note.section);
        section = undefined;
      }
    }
    return { answers, ended: undefined };
  } finally {
    // Nobody ended it: the run was over.
    await section?.over('is undone');
    for (const session of sessions.values()) await session.close();
  }
}

async function compare({ by, call, given, answer, locked }: Called, on: Session | Locked): Promise<void> {
  const asked = (on as unknown as Record<string, (...given: readonly unknown[]) => Promise<unknown>>)[call]!;
  const found: Called['answer'] = await asked.apply(on, [...given]).then(
    (value) => ({ value: plain(value) }),
    (error: unknown) => ({ code: String((error as { code?: unknown }).code ?? error) }),
  );
  same('answers', comparable(call, found), comparable(call, answer), () => {
    const asks = JSON.stringify(given, (_, value: unknown) => (value instanceof Map ? [...value] : value));
    return `${by} asks the store ${locked ? 'under the lock ' : ''}${call}(${asks})`;
  });
}

function unnumbered({ document, head, events }: LoadedDocument): unknown {
  return [document !== undefined, head, events];
}

/** The ledger answers in any order, and a store numbers documents as it likes. */
function comparable(call: Called['call'], answer: Called['answer']): unknown {
  if (!('value' in answer)) return answer;
  if (call === 'ledger') return [...(answer.value as StoredCommit[])].sort((a, b) => a.position - b.position);
  if (call === 'load') {
    const { documents, ...loaded } = answer.value as Loaded;
    return { ...loaded, documents: documents.map(unnumbered) };
  }
  if (call !== 'scan') return answer;
  const { named, events, ...page } = answer.value as ScanPage;
  const names = new Map(named.map(({ document, collection, id }) => [document, `${collection} ${id}`]));
  return {
    ...page,
    events: events.map((event) =>
      Object.assign(event, { attachments: event.attachments.map((n, at) => (at % 2 === 0 ? names.get(n) : n)) }),
    ),
  };
}

/** Begins a section that goes on until it is told how it is over. */
async function begin(session: Session): Promise<Section> {
  const given = Promise.withResolvers<Locked>();
  const told = Promise.withResolvers<'commits' | 'is undone'>();
  const done = session.exclusive(async (locked) => {
    given.resolve(locked);
    if ((await told.promise) === 'is undone') throw new Undone();
  });
  done.catch((error: unknown) => given.reject(error));
  const locked = await given.promise;
  return {
    locked,
    over: async (how) => {
      told.resolve(how);
      await done.catch((error: unknown) => {
        if (!(error instanceof Undone)) throw error;
      });
    },
  };
}
