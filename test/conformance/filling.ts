/**
 * Mutants of what is filled later, indexes and keyings, and of what is swept.
 */
import { Buffer } from 'node:buffer';
import type { IndexedPage, Locked, Session, Stepped, StoredPage } from '../../src/store/store.ts';
import { mutant, pages, under, withDefect } from './mutant.ts';
import type { Mutant } from './mutant.ts';

/** An entry whose key is taken for text. */
const text = <T extends { readonly key: Uint8Array }>(one: T): T =>
  Object.assign({}, one, { key: Buffer.from(Buffer.from(one.key).toString('utf8')) });

const empty = (page: StoredPage | undefined) => page && { ...page, documents: [], more: false };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function filledTo(by: Locked, index: number): Promise<string | undefined> {
  return (await by.registry()).indexes.find(({ number }) => number === index)?.filled;
}

export const filling: readonly Mutant[] = [
  mutant('adds entries before others go', 'entries go before others come', (sound) => ({
    advance: (step) => {
      const gone = new Set(step.dropped.map(({ index, key }) => `${index} ${hex(key)}`));
      return sound.advance({
        ...step,
        added: step.added.filter(({ index, key }) => !gone.has(`${index} ${hex(key)}`)),
      });
    },
  })),
  mutant('cuts long keys', 'long keys are compared to their last byte', (sound) => ({
    advance: (step) => {
      const added = step.added.map((one) => Object.assign({}, one, { key: one.key.subarray(0, 1_000) }));
      return sound.advance({ ...step, added });
    },
  })),
  mutant('takes keys for text', 'an index has the documents of a set in the order of their keys’ bytes', (sound) => {
    return {
      advance: (step) => sound.advance({ ...step, added: step.added.map(text), dropped: step.dropped.map(text) }),
    };
  }),
  mutant('refuses an entry that is there already', 'an entry that is there already comes again', (sound) => ({
    advance: async (step) => {
      for (const { index, key } of step.added) {
        const below = Buffer.concat([key, Buffer.of(0)]);
        const page = await sound.stored({ set: step.set, index, from: key, below, limit: 1 });
        if (page?.documents[0]) return 'moved';
      }
      return sound.advance(step);
    },
  })),
  mutant('refuses a step with entries of an unknown index', 'entries of an index that isn’t registered', (sound) => ({
    advance: async (step) => {
      const known = new Set((await sound.registry()).indexes.map(({ number }) => number));
      return step.added.every(({ index }) => known.has(index)) ? sound.advance(step) : 'behind';
    },
  })),
  mutant('gives the documents of an index by their ids', 'a set has several indexes', (sound) => ({
    stored: (range) => sound.stored('ids' in range ? range : { ...range, index: undefined }),
  })),
  mutant('answers by an index that isn’t filled yet', 'an index is filled page by page', (sound) => ({
    stored: async (range) =>
      (await sound.stored(range)) ?? ('ids' in range ? undefined : sound.stored({ ...range, index: undefined })),
  })),
  mutant(
    'fills an index from anywhere',
    'an index is filled only from where it is',
    under((locked) => ({
      fillIndex: async (page) => locked.fillIndex({ ...page, from: await filledTo(locked, page.index) }),
    })),
  ),
  mutant(
    'fills indexes beside the lock',
    'an index that several servers fill, while others move its set on',
    (sound) => ({
      exclusive: async (work) => {
        const filled: IndexedPage[] = [];
        const result = await work({
          registry: () => sound.registry(),
          stored: (range) => sound.stored(range),
          fillIndex: async (page) => filled.push(page) > 0,
        } as Partial<Locked> as Locked);
        for (const page of filled) await sound.exclusive((locked) => locked.fillIndex(page));
        return result;
      },
    }),
  ),
  mutant(
    'attaches from anywhere',
    'events are attached only from where the keying is',
    under((locked) => ({
      attach: async (page) => {
        const keying = (await locked.registry()).keyings.find(({ name }) => name === page.keying);
        return locked.attach({ ...page, from: keying?.filled ?? page.from });
      },
    })),
  ),
  mutant(
    'attaches events that the log doesn’t hold',
    'a page of events that the log doesn’t hold',
    under((locked) => ({ attach: async (page) => locked.attach({ ...page, seen: (await locked.load([])).end }) })),
  ),
  mutant(
    'attaches by any generation',
    'a page whose ids were found by another generation',
    under((locked) => ({
      attach: async (page) => locked.attach({ ...page, generation: (await locked.registry()).generation }),
    })),
  ),
  mutant(
    'is live before all is attached',
    'events are attached only from where the keying is',
    under((locked) => ({
      attach: async (page) => {
        const { end } = await locked.load([]);
        return locked.attach(page.live ? { ...page, to: end.position } : page);
      },
    })),
  ),
  mutant(
    'attaches one id of each event',
    'stored events get versions of the documents that they are attached to later',
    under((locked) => ({
      attach: (page) =>
        locked.attach({
          ...page,
          attachments: page.attachments.map((one) => Object.assign({}, one, { ids: one.ids.slice(0, 1) })),
        }),
    })),
  ),
  mutant(
    'tells what was attached later first',
    'what was attached later comes after what was appended',
    pages((page) => ({
      ...page,
      events: page.events.map((event) => Object.assign({}, event, { attachments: event.attachments.toReversed() })),
    })),
  ),
  mutant('attaches what was given up', 'what was attached in a section that failed isn’t', (sound) => ({
    exclusive: (work) =>
      sound.exclusive(async (locked) => {
        let attached: Stepped | undefined;
        const attach: Locked['attach'] = async (page) => (attached = await locked.attach(page));
        try {
          return await work({ ...locked, attach });
        } catch (error) {
          if (attached === undefined) throw error;
          return undefined as Awaited<ReturnType<typeof work>>;
        }
      }),
  })),
  {
    defect: 'sweeps what is needed',
    caught: 'where all is needed, sweeping removes nothing',
    makeStore: withDefect(() => {
      let swept = false;
      return (sound: Session) => ({
        advance: (step) => sound.advance(step).finally(() => (swept = false)),
        sweep: () => sound.sweep().finally(() => (swept = true)),
        stored: async (range) => (swept ? empty(await sound.stored(range)) : sound.stored(range)),
      });
    }),
  },
  mutant('always has more to sweep', 'where all is needed, sweeping removes nothing', (sound) => ({
    sweep: () => sound.sweep().then(() => true),
  })),
  mutant('leaves the attachments of retired keyings', 'a retired keying’s attachments go', () => ({
    sweep: async () => false,
  })),
];
