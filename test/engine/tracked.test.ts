/** Where others write to the same documents, what they have written is read once, in one piece; otherwise it isn't read. */
import { domain, LogCorrupt, open, type, type Store } from 'tidemark';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { keepingLogger, onLocalStores } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

/** Without the reduction, which scans too. */
function items(reduce: (sum: number, n: number) => number = (sum, n) => sum + n) {
  const shop = domain({
    events: {
      SOLD: type<{ item_id: string; n: number }>(),
      SEEN: type<{ item_id: string }>(),
    },
  });
  const collection = shop.collection('items', {
    key: 'item_id',
    initial: { sum: 0 },
    reduce: { SOLD: ({ sum }, { n }) => ({ sum: reduce(sum, n) }) },
  });
  const sell = shop.command('SELL', {
    input: type<{ item_id: string; n?: number }>(),
    reads: ({ item_id }) => ({ item: collection.ref(item_id) }),
    decide: ({ item }, { item_id, n }) => ({ type: 'SOLD', item_id, n: n ?? item.state.sum + 1 }),
  });
  const see = shop.command('SEE', {
    input: type<{ item_id: string }>(),
    decide: (_, { item_id }) => ({ type: 'SEEN', item_id }),
  });
  return {
    collection,
    sell,
    see,
    parts: { collections: [collection], commands: [sell, see], reduction: 'off' },
  } as const;
}

/** What a server asks of its store: documents that it loads for batches, pages that it scans, and the events in them. */
function watched(store: Store) {
  const asked = { loads: 0, documents: 0, scans: 0, scanned: 0 };
  const watching = changedStore(store, (session) => ({
    load: async (requests, options) => {
      if (options?.forBatch && requests.length > 0) {
        asked.loads += 1;
        asked.documents += requests.length;
      }
      return session.load(requests, options);
    },
    scan: async (range, options) => {
      const page = await session.scan(range, options);
      asked.scans += 1;
      asked.scanned += page.events.length;
      return page;
    },
  }));
  return { store: watching, asked };
}

const IDS = Array.from({ length: 40 }, (_, n) => `i${n}`);
/** Rounds until a server has found out what others do. */
const FOUND_OUT = 3;

onLocalStores('tracked documents', (makeStore) => {
  test('what others have written to them is read in one piece, and nothing is loaded or decided twice', async () => {
    const { sell, collection, parts } = items();
    const store = makeStore();
    const mine = watched(store);
    await using app = await open({ store: mine.store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    const all = (by: typeof app): Promise<unknown> => Promise.all(IDS.map((id) => by.execute(sell, { item_id: id })));
    for (let round = 0; round < FOUND_OUT; round += 1) {
      await all(other);
      await all(app);
    }
    Object.assign(mine.asked, { loads: 0, documents: 0, scans: 0, scanned: 0 });
    const before = (await app.status()).counters;
    for (let round = 0; round < 5; round += 1) {
      await all(other);
      await all(app);
    }
    const { retried, batches } = (await app.status()).counters;
    expect(retried - before.retried).toBe(0);
    expect(mine.asked).toMatchObject({ loads: 0, scans: batches - before.batches });
    // Their own among them, but each once.
    expect(mine.asked.scanned).toBeLessThanOrEqual(5 * 2 * IDS.length);
    const sums = (await app.get(collection, IDS)).map(({ state }) => state.sum);
    expect(new Set(sums)).toEqual(new Set([2 ** (2 * (FOUND_OUT + 5)) - 1]));
  });

  test('where others write to other documents nothing is read of it', async () => {
    const { sell, parts } = items();
    const store = makeStore();
    const mine = watched(store);
    await using app = await open({ store: mine.store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(IDS.map((id) => other.execute(sell, { item_id: `their ${id}` })));
      await Promise.all(IDS.map((id) => app.execute(sell, { item_id: id })));
    }
    expect((await app.status()).counters).toMatchObject({ retried: 0, succeeded: 10 * IDS.length });
    expect(mine.asked.scans).toBe(0);
  });

  test('events that are not handled move a document’s version, and what comes after them is folded', async () => {
    const { sell, see, collection, parts } = items();
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(IDS.map((id) => other.execute(see, { item_id: id })));
      await Promise.all(IDS.map((id) => other.execute(sell, { item_id: id, n: 1 })));
      await Promise.all(IDS.map((id) => app.execute(sell, { item_id: id, n: 1 })));
    }
    const documents = await app.get(collection, IDS);
    expect(new Set(documents.map(({ version, changed, state }) => `${version} ${changed} ${state.sum}`))).toEqual(
      new Set(['18 18 12']),
    );
    expect((await app.verify()).problems).toEqual([]);
  });

  test('a page that is damaged is no caller’s to hear who doesn’t want it', async () => {
    const { sell, collection, parts } = items();
    const store = makeStore();
    let damaged = 0;
    const tearing = changedStore(store, (session) => ({
      scan: async () => {
        damaged += 1;
        throw new LogCorrupt('an event is damaged', {});
      },
      load: (requests, options) => session.load(requests, options),
    }));
    await using app = await open({ store: tearing, ...parts });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(IDS.map((id) => other.execute(sell, { item_id: id, n: 1 })));
      await Promise.all(IDS.map((id) => app.execute(sell, { item_id: id, n: 1 })));
    }
    expect(damaged).toBeGreaterThan(0);
    const sums = (await app.get(collection, IDS)).map(({ state }) => state.sum);
    expect(new Set(sums)).toEqual(new Set([10]));
  });

  test('one that was missed shows by the version of the next, and its document is loaded', async () => {
    const { sell, collection, parts } = items();
    const store = makeStore();
    let pages = 0;
    // Of every second page the documents' first events are of nobody's interest.
    const losing = changedStore(store, (session) => ({
      scan: async (range, options) => {
        const page = await session.scan(range, options);
        const lost = new Set(page.events.slice(0, IDS.length / 2));
        if ((pages += 1) % 2 === 0) return page;
        return {
          ...page,
          events: page.events.map((one) => (lost.has(one) ? Object.assign({}, one, { attachments: [] }) : one)),
        };
      },
    }));
    await using app = await open({ store: losing, ...parts });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    for (let round = 0; round < 8; round += 1) {
      await Promise.all(IDS.map((id) => other.execute(sell, { item_id: id })));
      await Promise.all(IDS.map((id) => other.execute(sell, { item_id: id })));
      await Promise.all(IDS.map((id) => app.execute(sell, { item_id: id })));
    }
    expect(pages).toBeGreaterThan(2);
    const found = await app.get(collection, IDS);
    expect(new Set(found.map(({ version, state }) => `${version} ${state.sum}`))).toEqual(
      new Set([`24 ${2 ** 24 - 1}`]),
    );
  });

  test('an event that a reducer fails on is told to those who want its document', async () => {
    const failing = items((sum, n) => {
      if (n === 13) throw new Error('unlucky');
      return sum + n;
    });
    const sound = items();
    const store = makeStore();
    await using app = await open({ store, ...failing.parts, logger: keepingLogger() });
    await using other = await open({ store, ...sound.parts });
    for (let round = 0; round < 5; round += 1) {
      const n = (id: string): number => (round === 4 && id === 'i7' ? 13 : 1);
      await Promise.all(IDS.map((id) => other.execute(sound.sell, { item_id: id, n: n(id) })));
      const outcomes = await Promise.all(IDS.map((id) => app.execute(failing.sell, { item_id: id, n: 1 })));
      const failed = IDS.filter((_, index) => outcomes[index]!.status !== 'succeeded');
      expect(failed).toEqual(round === 4 ? ['i7'] : []);
    }
  });

  test('one who comes back after very much has happened loads what is asked for', async () => {
    const { sell, collection, parts } = items();
    const store = makeStore();
    const mine = watched(store);
    await using app = await open({ store: mine.store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    const few = IDS.slice(0, 4);
    const all = (by: typeof app): Promise<unknown> =>
      Promise.all(few.map((id) => by.execute(sell, { item_id: id, n: 1 })));
    for (let round = 0; round < FOUND_OUT; round += 1) {
      await all(other);
      await all(app);
    }
    mine.asked.scanned = 0;
    const much = Array.from({ length: 2_500 }, (_, n) => ({ item_id: `other ${n}`, n: 1 }));
    await Promise.all(much.map((input) => other.execute(sell, input)));
    await all(other);
    await all(app);
    await all(app);
    expect(mine.asked.scanned).toBeLessThan(2_000);
    expect((await app.get(collection, few)).map(({ state }) => state.sum)).toEqual([9, 9, 9, 9]);
  });
});
