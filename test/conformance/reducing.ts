/**
 * Mutants that store documents and their places wrongly, or read them wrongly.
 */
import { Buffer } from 'node:buffer';
import { setImmediate as pause } from 'node:timers/promises';
import type { KeyRange, LogPoint, Session, SetStep, StoredPage } from '../../src/store/store.ts';
import { end, mutant, withDefect } from './mutant.ts';
import type { Defect, Mutant } from './mutant.ts';

/** A defect in the steps that are sent. */
const steps =
  (change: (step: SetStep, sound: Session) => SetStep | Promise<SetStep>): Defect =>
  (sound) => ({ advance: async (step) => sound.advance(await change(step, sound)) });

/** A defect in pages of stored documents. */
const stored =
  (change: (page: StoredPage, range: Partial<KeyRange>) => StoredPage): Defect =>
  (sound) => ({
    stored: async (range) => {
      const page = await sound.stored(range);
      return page && change(page, range);
    },
  });

const placeOf = async (sound: Session, set: number): Promise<LogPoint | undefined> =>
  (await sound.stored({ set, limit: 0 }))?.place;

export const reducing: readonly Mutant[] = [
  mutant(
    'moves a set on from wherever it is',
    'a step from where the set isn’t stores nothing',
    steps(async (step, sound) => ({ ...step, from: (await placeOf(sound, step.set)) ?? step.from })),
  ),
  mutant(
    'looks only at the position of a set',
    'a step from where the set isn’t stores nothing',
    steps(async (step, sound) => {
      const place = await placeOf(sound, step.set);
      return place?.position === step.from.position ? { ...step, from: place } : step;
    }),
  ),
  mutant(
    'looks only at the hash of where a set is',
    'a set may move on without a document, stay where it is, and be within a commit',
    steps(async (step, sound) => {
      const place = await placeOf(sound, step.set);
      return place?.hash === step.from.hash ? { ...step, from: place } : step;
    }),
  ),
  mutant(
    'stores steps by any generation',
    'a step by another generation is behind',
    steps(async (step, sound) => ({ ...step, generation: (await sound.registry()).generation })),
  ),
  mutant(
    'stores steps from events that the log doesn’t hold',
    'a step from events that the log doesn’t hold',
    steps(async (step, sound) => ({ ...step, seen: await end(sound) })),
  ),
  mutant(
    'looks only at the position of what was seen',
    'a step from events that the log doesn’t hold',
    steps(async (step, sound) => {
      const now = await end(sound);
      return step.seen.position <= now.position ? { ...step, seen: now } : step;
    }),
  ),
  mutant(
    'stores steps beyond what was seen',
    'a step from events that the log doesn’t hold',
    steps(async (step, sound) => {
      const now = await end(sound);
      const isHeld = (await sound.load([], { seen: step.seen })).holds;
      return isHeld ? { ...step, seen: now } : step;
    }),
  ),
  mutant(
    'wants the newest end for a step',
    'a step is stored by any end of the log that its maker has seen',
    (sound) => ({
      advance: async (step) => (step.seen.hash === (await end(sound)).hash ? sound.advance(step) : 'diverged'),
    }),
  ),
  mutant(
    'stores the documents of a step that was too late',
    'of servers that move a set at once, one does',
    (sound) => ({
      advance: async (step) => {
        const answer = await sound.advance(step);
        const place = answer === 'moved' ? await placeOf(sound, step.set) : undefined;
        if (place) await sound.advance({ ...step, from: place, to: place });
        return answer;
      },
    }),
  ),
  mutant('moves the place first, and then the documents', 'a reader sees a set only as of a place', (sound) => ({
    advance: async (step) => {
      const answer = await sound.advance({ ...step, documents: [], dropped: [], added: [] });
      await pause();
      return answer === 'stored' ? sound.advance({ ...step, from: step.to }) : answer;
    },
  })),
  mutant('moves the documents first, and then the place', 'a reader sees a set only as of a place', (sound) => ({
    advance: async (step) => {
      const answer = await sound.advance({ ...step, to: step.from });
      await pause();
      const nothing = { documents: [], dropped: [], added: [] };
      return answer === 'stored' ? sound.advance({ ...step, ...nothing }) : answer;
    },
  })),
  mutant(
    'moves on only with documents',
    'a set may move on without a document',
    steps((step) => (step.documents.length > 0 ? step : { ...step, to: step.from })),
  ),
  {
    defect: 'tells of sets that aren’t registered any more',
    caught: 'a set that isn’t registered is behind, and nothing is told of it',
    makeStore: withDefect(() => {
      const pages = new Map<number, StoredPage>();
      return (sound) => ({
        advance: async (step) => {
          const answer = await sound.advance(step);
          const page = await sound.stored({ set: step.set, limit: 10 });
          if (page) pages.set(step.set, page);
          return answer;
        },
        stored: async (range) => (await sound.stored(range)) ?? pages.get(range.set),
      });
    }),
  },
  mutant('keeps states as values', 'states are given back as they were stored', (sound) => ({
    advance: (step) => {
      const documents = step.documents.map((one) =>
        Object.assign({}, one, { state: one.state.trim() && JSON.stringify(JSON.parse(one.state)) }),
      );
      return sound.advance({ ...step, documents });
    },
  })),
  mutant(
    'leaves failed documents among the others',
    'a document that failed is left out until it goes on',
    (sound) => ({
      stored: async (range) => {
        const page = await sound.stored(range);
        if ('ids' in range || range.failed || range.index !== undefined || !page) return page;
        const failed = await sound.stored({ ...range, failed: true });
        return { ...page, documents: [...page.documents, ...failed!.documents] };
      },
    }),
  ),
  mutant(
    'orders ids by a collation',
    'documents come in the order of their ids’ bytes',
    stored((page, { reverse, limit }) => {
      if (limit === undefined) return page;
      const documents = page.documents.toSorted((a, b) => a.id.localeCompare(b.id, 'en'));
      return { ...page, documents: reverse ? documents.reverse() : documents };
    }),
  ),
  mutant(
    'orders ids by UTF-16 code units',
    'documents come in the order of their ids’ bytes',
    stored((page, { reverse, limit }) => {
      if (limit === undefined) return page;
      const documents = page.documents.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      return { ...page, documents: reverse ? documents.reverse() : documents };
    }),
  ),
  mutant('takes below for inclusive', 'a range begins with its first key', (sound) => ({
    stored: (range) =>
      sound.stored(
        'ids' in range || !range.below ? range : { ...range, below: Buffer.concat([range.below, Buffer.of(0)]) },
      ),
  })),
  mutant('takes from for exclusive', 'a range begins with its first key', (sound) => ({
    stored: (range) =>
      sound.stored(
        'ids' in range || !range.from ? range : { ...range, from: Buffer.concat([range.from, Buffer.of(0)]) },
      ),
  })),
  mutant(
    'takes each full page for one with more to come',
    'a page has as many documents as its limit says',
    stored((page, { limit = Infinity }) => ({ ...page, more: page.documents.length >= Math.floor(limit) })),
  ),
  mutant(
    'says nothing of documents that had no room',
    'a page has at most so many bytes of states',
    stored((page, { limit }) => ({ ...page, more: limit === undefined ? false : page.more })),
  ),
  mutant('loads no stored documents', 'a load begins with the stored document', (sound) => ({
    load: (requests, options) =>
      sound.load(
        requests.map((one) => Object.assign({}, one, { set: undefined })),
        options,
      ),
  })),
  mutant(
    'loads stored documents from above what was asked',
    'a stored document above upTo or asOf isn’t used',
    (sound) => ({
      load: async (requests, options) => {
        const loaded = await sound.load(requests, options);
        const newest = await sound.load(requests.map((one) => Object.assign({}, one, { upTo: undefined })));
        const documents = loaded.documents.map((one, n) =>
          Object.assign({}, one, newest.documents[n]!.stored && { stored: newest.documents[n]!.stored }),
        );
        return { ...loaded, documents };
      },
    }),
  ),
];
