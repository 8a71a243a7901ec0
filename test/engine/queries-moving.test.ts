/** Queries by an index whose documents change their places in it meanwhile, and pages of large documents. */
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import type { Page } from '../../src/engine/queries/asked.ts';
import { FIND_BYTES_MAX } from '../../src/engine/queries/bounds.ts';
import { onLocalStores } from '../support/stores.ts';
import { seeded } from '../support/seed.ts';
import { StoredDocuments, type Given } from '../support/stored-documents.ts';
import { opened } from '../support/opened-theatre.ts';
import { place, theatre } from '../support/theatre.ts';

const idsOf = ({ documents }: Page<unknown>): string[] => documents.map(({ id }) => id);
const MANY = 2_400;
const all = (): Given[] => Array.from({ length: MANY }, (_, n) => ({ id: `d${n}`, state: { price: n, kind: n % 2 } }));

for (const isForgetful of [false, true]) {
  const how = isForgetful ? 'looking at all, where too many have moved' : 'looking again at those that have moved';
  test(`documents that match throughout are counted once each, others never, ${how}`, async () => {
    const random = seeded();
    const on = await StoredDocuments.on(memory(), [['price']]);
    on.isForgetful = isForgetful;
    await on.put(all());
    // Half of them change their places, and match throughout; of some of another kind it depends on when they are looked at.
    const moves = (): Given[] =>
      Array.from({ length: 300 }, () => {
        const n = Math.floor(random() * MANY);
        return { id: `d${n}`, state: { price: Math.floor(random() * MANY), kind: n % 2 } };
      });
    on.beforeRead = () => on.put([...new Map(moves().map((one) => [one.id, one])).values()]);
    for (let n = 0; n < 5; n += 1) {
      expect(await on.queries.count(on.collection, { where: { price: { gte: 0 } } })).toBe(MANY);
      expect(await on.queries.count(on.collection, { where: { price: { gte: 0 }, kind: 1 } })).toBe(MANY / 2);
    }
    expect(on.asked).toBe(10);
  });
}

test('nothing is looked at again where nothing has moved', async () => {
  const on = await StoredDocuments.on(memory(), [['price']]);
  await on.put(all());
  expect(await on.queries.count(on.collection, { where: { price: { gte: 0 } } })).toBe(MANY);
  expect((await on.queries.find(on.collection, { orderBy: [{ price: 'asc' }], limit: 1_000 })).documents).toHaveLength(
    1_000,
  );
  expect(on.asked).toBe(0);
});

test.each([
  ['in the order of an index', { price: { gte: 0 } }, [{ price: 'asc' }]],
  ['sorted in memory', { price: { gte: 0 } }, [{ kind: 'desc' }, { price: 'asc' }]],
] as const)('a page %s has each document once that belongs to it throughout', async (_, where, orderBy) => {
  const random = seeded();
  const on = await StoredDocuments.on(memory(), [['price']]);
  await on.put(all());
  // Those below 400 move among themselves, on both sides of where the reader is; the others stay.
  on.beforeRead = () => {
    const ns = new Set(Array.from({ length: 100 }, () => Math.floor(random() * 400)));
    return on.put([...ns].map((n) => ({ id: `d${n}`, state: { price: random() * 400, kind: n % 2 } })));
  };
  for (let times = 0; times < 10; times += 1) {
    const ids = idsOf(await on.queries.find(on.collection, { where, orderBy, limit: 1_000 }));
    expect(new Set(ids).size).toBe(ids.length);
    const belongs = all().filter(({ state }) => {
      const { price, kind } = state as { price: number; kind: number };
      return orderBy.length === 2 ? kind === 1 && price < 1_900 : price < 1_000;
    });
    const found = new Set(ids);
    expect(belongs.filter(({ id }) => !found.has(id)).length).toBe(0);
  }
});

test('pages end where the states of their documents are too large together, and none is missing or comes twice', async () => {
  const on = await StoredDocuments.on(memory(), [['price']]);
  const random = seeded();
  const text = 'é'.repeat(Math.ceil(FIND_BYTES_MAX / 10));
  await on.put([{ id: 'huge', state: { price: 3.5, text: text.repeat(6) } }]);
  for (let n = 0; n < 24; n += 1) {
    await on.put([{ id: `d${n}`, state: { price: n, kind: random(), text: n % 3 === 0 ? text : '' } }]);
  }
  for (const [where, orderBy] of [
    [{}, [{ price: 'asc' }]],
    [{}, [{ price: 'desc' }]],
    [{ price: { gte: 0 } }, [{ kind: 'asc' }]],
    [{}, undefined],
  ]) {
    const ids: string[] = [];
    let pages = 0;
    let after: unknown;
    do {
      const page: Page<unknown> = await on.queries.find(on.collection, { where, orderBy, limit: 1_000, after });
      const bytes = page.documents.reduce((sum, { state }) => sum + Buffer.byteLength(JSON.stringify(state)), 0);
      expect(page.documents.length === 1 || bytes <= FIND_BYTES_MAX).toBe(true);
      ids.push(...idsOf(page));
      pages += 1;
      after = page.next;
    } while (after !== undefined);
    expect(ids).toHaveLength(25);
    expect(new Set(ids).size).toBe(25);
    expect(pages).toBeGreaterThan(2);
  }
});

onLocalStores('queries while documents move', (makeStore) => {
  test('seats that are booked throughout are all counted and found, while they change their places', async () => {
    const house = theatre({ indexes: ['times'] });
    const app = await opened(house, { store: makeStore() });
    const seats = 1_500;
    const book = (ns: readonly number[]): Promise<unknown> =>
      app.execute(house.put, { events: ns.map((n) => ({ type: 'BOOKED' as const, ...place(n) })) });
    for (let n = 0; n < seats; n += 500) await book(Array.from({ length: 500 }, (_, k) => n + k));
    expect(await app.count(house.seats)).toBe(seats);
    const state = { isWriting: true };
    const writing = (async () => {
      for (let n = 0; state.isWriting; n = (n + 150) % seats) await book(Array.from({ length: 150 }, (_, k) => n + k));
    })();
    for (let n = 0; n < 10; n += 1) {
      expect(await app.count(house.seats, { where: { times: { gte: 1 } }, fresh: false })).toBe(seats);
      const query = { where: { times: { gte: 1 } }, orderBy: [{ times: 'desc' }], limit: 1_000, fresh: false } as const;
      const ids = (await app.find(house.seats, query)).documents.map(({ id }) => id);
      expect([ids.length, new Set(ids).size]).toEqual([1_000, 1_000]);
    }
    state.isWriting = false;
    await writing;
  });
});
