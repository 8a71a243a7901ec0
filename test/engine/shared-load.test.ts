/** Documents that are asked for at once are loaded together, and nobody notices but by the time it takes. */
import { domain, open, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { collect, onLocalStores } from '../support/stores.ts';

const shop = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
const items = shop.collection('items', { key: 'item_id', initial: { n: 0 }, reduce: { PUT: (_, { n }) => ({ n }) } });
const put = shop.command('PUT', {
  input: type<{ item_id: string; n: number }>(),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
/** Who reads of the store is who calls: nothing is reduced beside. */
const parts = { collections: [items], commands: [put], reduction: 'off' } as const;

/** Counts the loads of a store, and its looks at the ledger. */
function counted(store: Store) {
  const [loads, looks] = [{ count: 0 }, { count: 0 }];
  const counting = changedStore(store, (session) => ({
    load: (requests, options) => {
      loads.count += 1;
      return session.load(requests, options);
    },
    ledger: (ids, options) => {
      looks.count += 1;
      return session.ledger(ids, options);
    },
  }));
  return { store: counting, loads, looks };
}

/** A store that gives the event of one document for another version than it made. */
const torn = (store: Store): Store =>
  changedStore(store, (session) => ({
    load: async (requests, options) => {
      const loaded = await session.load(requests, options);
      const documents = loaded.documents.map(({ events, ...document }, index) => ({
        ...document,
        events: requests[index]!.id === 'b' ? events.map((event) => Object.assign({}, event, { version: 2 })) : events,
      }));
      return { ...loaded, documents };
    },
  }));

onLocalStores('gets at once', (makeStore) => {
  test('each is given its documents, in its order, by few loads', async () => {
    const { store, loads } = counted(makeStore());
    await using app = await open({ store, ...parts });
    await Promise.all(Array.from({ length: 100 }, (_, n) => app.execute(put, { item_id: `i${n}`, n })));
    loads.count = 0;
    const ids = Array.from({ length: 5_000 }, (_, n) => `i${(n * 7) % 150}`);
    const [ones, [pair, none], early] = await Promise.all([
      Promise.all(ids.map((id) => app.get(items, id))),
      Promise.all([app.get(items, ['i3', 'i999', 'i3']), app.get(items, [])]),
      app.get(items, 'i5', { version: 0 }),
    ]);
    for (const [index, { id, state, exists }] of ones.entries()) {
      const n = Number(ids[index]!.slice(1));
      expect([id, state.n, exists]).toEqual([ids[index], n < 100 ? n : 0, n < 100]);
    }
    expect(pair.map(({ id, version }) => [id, version])).toEqual([
      ['i3', 1],
      ['i999', 0],
      ['i3', 1],
    ]);
    expect([none, early.version]).toEqual([[], 0]);
    expect(loads.count).toBeLessThan(20);
  });

  test('so are outcomes, by few looks at the ledger', async () => {
    const { store, looks } = counted(makeStore());
    await using app = await open({ store, ...parts });
    await Promise.all(Array.from({ length: 50 }, (_, n) => app.execute(put, { item_id: 'i', n }, { id: `c${n}` })));
    looks.count = 0;
    const found = await Promise.all(Array.from({ length: 1_000 }, (_, n) => app.outcome(`c${n % 100}`)));
    for (const [index, outcome] of found.entries())
      expect(outcome?.status).toBe(index % 100 < 50 ? 'succeeded' : undefined);
    expect(looks.count).toBeLessThan(8);
  });

  test('whoever asks sees what was acknowledged before, also while others are being answered', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const asking = { others: true };
    const others = (async () => {
      while (asking.others) await Promise.all(Array.from({ length: 50 }, (_, n) => app.get(items, `o${n}`)));
    })();
    for (let n = 1; n <= 50; n += 1) {
      await app.execute(put, { item_id: 'i', n });
      expect((await app.get(items, 'i')).state.n).toBe(n);
    }
    asking.others = false;
    await others;
  });
});

test('one who asks for too many while others wait is refused by name, and nobody else', async () => {
  await using app = await open({ store: memory(), ...parts, limits: { getDocumentsWaitingMax: 100 } });
  const ids = Array.from({ length: 60 }, (_, n) => `i${n}`);
  const [first, second, third] = await Promise.allSettled([
    app.get(items, ids),
    app.get(items, ids),
    app.get(items, ids.slice(0, 40)),
  ]);
  expect([first.status, third.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(second).toMatchObject({ reason: { code: 'Overloaded', retryable: true, details: { waiting: 60, max: 100 } } });
  // Alone, as many as a get may ask for.
  expect(await app.get(items, [...ids, ...ids])).toHaveLength(120);
});

test('damage of one document is told to whoever asked for it alone', async () => {
  const store = memory();
  await using app = await open({ store: torn(store), ...parts });
  for (const item_id of ['a', 'b', 'c']) await app.execute(put, { item_id, n: 1 });
  await using reader = await open({ store: torn(store), ...parts });
  const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map((id) => reader.get(items, id)));
  expect([a!.status, c!.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(b).toMatchObject({ reason: { code: 'LogCorrupt' } });
  expect(await collect(reader.events())).toHaveLength(3);
});

test('what reads the whole log goes on for so many at once, and is refused by name where too many wait', async () => {
  const going = { now: 0, most: 0 };
  const store = changedStore(memory(), (session) => ({
    scan: async (range) => {
      going.now += 1;
      going.most = Math.max(going.most, going.now);
      const page = await session.scan(range);
      going.now -= 1;
      return page;
    },
  }));
  await using app = await open({ store, ...parts, limits: { longReadsMax: 3, longReadsWaitingMax: 5 } });
  await app.execute(put, { item_id: 'i', n: 1 });
  const folds = await Promise.allSettled(Array.from({ length: 10 }, () => app.fold(items)));
  expect(folds.map(({ status }) => status)).toEqual([...Array(8).fill('fulfilled'), ...Array(2).fill('rejected')]);
  expect(folds[9]).toMatchObject({
    reason: { code: 'Overloaded', retryable: true, details: { waiting: 5, max: 5, limit: 'longReadsWaitingMax' } },
  });
  expect(going.most).toBe(3);
  await expect(Promise.all([app.fold(items), app.verify()])).resolves.toMatchObject([{ size: 1 }, { ok: true }]);
});

test('whoever reads the past of one document isn’t behind a thousand who read that of another', async () => {
  await using app = await open({ store: memory(), ...parts });
  await Promise.all(Array.from({ length: 3_000 }, (_, n) => app.execute(put, { item_id: 'long', n })));
  await app.execute(put, { item_id: 'short', n: 7 });
  const order: string[] = [];
  const past = (id: string, position: number): Promise<unknown> =>
    app.get(items, id, { position }).then(() => order.push(id));
  await Promise.all([...Array.from({ length: 300 }, (_, n) => past('long', 100 + n)), past('short', 3_001)]);
  expect(order.indexOf('short')).toBeLessThan(20);
  expect(order).toHaveLength(301);
});
