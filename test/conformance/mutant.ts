/**
 * Stores with one defect each: the memory store with something done wrong on purpose. They show that the suite
 * can fail, and where.
 */
import { chainHash } from '../../src/store/chain.ts';
import { memory } from '../../src/store/memory/index.ts';
import type {
  Batch,
  Commit,
  DocumentRef,
  EventPage,
  Locked,
  LogPoint,
  Opening,
  Refused,
  Session,
  Stored,
  StoredAt,
} from '../../src/store/store.ts';
import type { MakeStore } from '../../src/testing/conformance/case.ts';

/** What a defect replaces of a session. */
export type Defect = (sound: Session) => Partial<Session>;

export interface Mutant {
  /** What is wrong with it. */
  readonly defect: string;
  /** The start of the name of a case that must fail. */
  readonly caught: string;
  readonly makeStore: MakeStore;
}

/** A session as a plain object: one keeps its state to itself, so its methods can't be lent to another by name alone. */
export function whole(session: Session): Session {
  return {
    registry: () => session.registry(),
    change: (judge) => session.change(judge),
    sweep: () => session.sweep(),
    advance: (step) => session.advance(step),
    stored: (range) => session.stored(range),
    append: (batch) => session.append(batch),
    exclusive: (work) => session.exclusive(work),
    load: (requests, options) => session.load(requests, options),
    read: (range, options) => session.read(range, options),
    scan: (range) => session.scan(range),
    commits: (range, options) => session.commits(range, options),
    ledger: (ids, options) => session.ledger(ids, options),
    types: (range) => session.types(range),
    documents: (range) => session.documents(range),
    moved: (from, signal) => session.moved(from, signal),
    check: () => session.check(),
    close: (closing) => session.close(closing),
  };
}

/** A memory store whose sessions do something else than they should. `once` is called for each store. */
export function withDefect(once: () => Defect): MakeStore {
  return (options) => {
    const store = memory(options);
    const defect = once();
    const open = async (opening?: Opening): Promise<Session> => {
      const sound = whole(await store.open(opening));
      return { ...sound, ...defect(sound) };
    };
    return { name: 'mutant', clock: store.clock, open };
  };
}

export function mutant(defect: string, caught: string, change: Defect): Mutant {
  return { defect, caught, makeStore: withDefect(() => change) };
}

/** A defect in what is sent. */
export const sends =
  (change: (batch: Batch, sound: Session) => Batch | Promise<Batch>): Defect =>
  (sound) => ({ append: async (batch) => sound.append(await change(batch, sound)) });

/** A defect in what is answered when a batch was stored. */
export const answersStored =
  (change: (stored: Stored, batch: Batch) => Stored): Defect =>
  (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      return answer.status === 'stored' ? change(answer, batch) : answer;
    },
  });

/** A defect in what a refusal says. */
export const answersRefused =
  (change: (refused: Refused, batch: Batch) => Refused): Defect =>
  (sound) => ({
    append: async (batch) => {
      const answer = await sound.append(batch);
      return answer.status === 'refused' ? change(answer, batch) : answer;
    },
  });

/** A defect in what can be called under the lock. */
export const under =
  (change: (locked: Locked, sound: Session) => Partial<Locked>): Defect =>
  (sound) => ({ exclusive: (work) => sound.exclusive((locked) => work({ ...locked, ...change(locked, sound) })) });

/** A defect in the pages of the log. */
export const pages =
  (change: (page: EventPage) => EventPage): Defect =>
  (sound) => ({ read: async (range) => change(await sound.read(range)) });

/** Every id is taken for another. */
export const ids = (change: (id: string) => string): Defect => {
  const changed = <T extends DocumentRef>(ref: T): T => ({ ...ref, id: change(ref.id) });
  return (sound) => ({
    append: (batch) =>
      sound.append({
        ...batch,
        reads: batch.reads.map(changed),
        commits: batch.commits.map((commit) => {
          const events = commit.events.map((event) => {
            const attachments = new Map(event.attachments.map((ref) => [change(ref.id), changed(ref)]));
            return { ...event, attachments: [...attachments.values()] };
          });
          return { ...commit, events };
        }),
      }),
    load: (requests, options) => sound.load(requests.map(changed), options),
  });
};

export const end = async (sound: Session): Promise<LogPoint> => (await sound.load([])).end;

export const head = async (sound: Session, ref: DocumentRef, asOf?: number): Promise<number> => {
  const { documents } = await sound.load([{ ...ref, after: 0, upTo: 0 }], { asOf });
  return documents[0]!.head;
};

/** Another time of recording, answered and shown. */
export const recorded =
  (change: (link: StoredAt, commit: Commit, index: number) => number): Defect =>
  (sound) => {
    const times = new Map<number, number>();
    const shown = <T extends { position: number; recordedAt: number }>(commit: T): T =>
      Object.assign({}, commit, { recordedAt: times.get(commit.position) ?? commit.recordedAt });
    return {
      ...answersStored((stored, { commits }) => {
        for (const [index, link] of stored.commits.entries())
          if (link) times.set(link.position, change(link, commits[index]!, index));
        return { ...stored, commits: stored.commits.map((link) => link && shown(link)) };
      })(sound),
      commits: async ({ recordedBy = Infinity, ...range }) =>
        (await sound.commits(range)).map(shown).filter(({ recordedAt }) => recordedAt <= recordedBy),
    };
  };

/** The hash as it would be with another place or time in it. */
export const rehashed = (change: (link: StoredAt) => { position: number; recordedAt: number }): Defect =>
  answersStored((stored, { seen, commits }) => {
    let hash = seen.hash;
    const links = stored.commits.map((link, index) => {
      if (!link) return undefined;
      const { position, recordedAt } = change(link);
      hash = chainHash(hash, position, recordedAt, commits[index]!.digest);
      return { ...link, hash };
    });
    return { ...stored, commits: links };
  });
