/** Watching and listing while documents change. */
/* eslint-disable vitest/no-conditional-expect -- how it ends depends on what ends it */
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import type { Document } from '../../src/engine/reading/document.ts';
import type { Page } from '../../src/engine/queries/asked.ts';
import { seeded } from '../support/seed.ts';
import { StoredDocuments } from '../support/stored-documents.ts';
import { collect } from '../support/stores.ts';
import { until } from '../support/until.ts';

type Pages = AsyncIterableIterator<Page<unknown>>;
type Documents = AsyncIterableIterator<Document<unknown>>;

const prices = (page: Page<unknown>): unknown[] =>
  page.documents.map(({ state }) => (state as { price: number }).price);
const priced = (id: string, price: number): { id: string; state: unknown } => ({ id, state: { price } });

async function stored(): Promise<StoredDocuments> {
  const made = await StoredDocuments.on(memory(), [['price']]);
  await made.put([priced('a', 1), priced('b', 2), priced('c', 3)]);
  return made;
}

test('a page comes now, and again whenever it has changed', async () => {
  const on = await stored();
  const pages = on.queries.watch(on.collection, { where: { price: { gt: 1 } }, limit: 2 }, {}) as Pages;
  expect(prices((await pages.next()).value!)).toEqual([2, 3]);
  const next = pages.next();
  // Outside of the page, or without any change.
  await on.put([priced('a', 0)]);
  await on.put([]);
  await until(() => on.waiting === 1);
  await on.put([priced('b', 20)]);
  const page: Page<unknown> = (await next).value!;
  expect([prices(page), page.position, page.next]).toEqual([[20, 3], 4, undefined]);
  // A third one: the page has the same documents, but goes on.
  await on.put([priced('d', 4)]);
  expect((await pages.next()).value!.next).toBeTypeOf('string');
  // The same version and another state, as mended reducers make it.
  await on.put([{ id: 'b', state: { price: 21 }, version: 4, changed: 4 }]);
  expect(prices((await pages.next()).value!)).toEqual([21, 3]);
  await pages.return!();
  expect(on.waiting).toBe(0);
});

test('a slow reader gets the newest page, and nobody waits for it', async () => {
  const on = await stored();
  const pages = on.queries.watch(on.collection, { orderBy: [{ price: 'desc' }], limit: 1 }, {}) as Pages;
  await pages.next();
  const reads = on.reads;
  for (let price = 10; price <= 50; price += 10) await on.put([priced('a', price)]);
  await setImmediate();
  expect(on.reads).toBe(reads);
  expect(prices((await pages.next()).value!)).toEqual([50]);
  await pages.return!();
});

test('one document is watched, also before it exists', async () => {
  const on = await stored();
  const documents = on.queries.watch(on.collection, 'n', undefined) as Documents;
  expect((await documents.next()).value).toEqual({
    collection: 'things',
    definition: 1,
    id: 'n',
    version: 0,
    changed: 0,
    exists: false,
    state: {},
  });
  const next = documents.next();
  await on.put([priced('a', 5)]);
  await on.put([priced('n', 6)]);
  expect((await next).value).toEqual({
    collection: 'things',
    definition: 1,
    id: 'n',
    version: 3,
    changed: 3,
    exists: true,
    state: { price: 6 },
  });
  await on.put([{ id: 'n', state: { price: 6 }, failed: 'a reducer threw', version: 3 }]);
  await on.put([{ id: 'n', state: { price: 7 }, failed: 'a reducer threw' }]);
  await expect(documents.next()).rejects.toMatchObject({ code: 'ReducerFailed', details: { id: 'n' } });
});

test.each(['signal', 'closing', 'return', 'break'] as const)(
  '%s ends watching, and leaves nothing behind',
  async (by) => {
    const on = await stored();
    const given = new AbortController();
    const pages = on.queries.watch(on.collection, {}, { signal: given.signal }) as Pages;
    if (by === 'break') {
      // eslint-disable-next-line no-unreachable-loop -- the first is enough
      for await (const page of pages) {
        expect(page.documents).toHaveLength(3);
        break;
      }
    } else {
      await pages.next();
      const next = pages.next();
      await until(() => on.waiting === 1);
      if (by === 'signal') given.abort(new Error('enough'));
      if (by === 'closing') on.closing.abort(new Error('closed'));
      if (by === 'return') await pages.return!();
      const ended =
        by === 'return' ? { done: true, value: undefined } : new Error(by === 'signal' ? 'enough' : 'closed');
      expect(await next.catch((error: unknown) => error)).toEqual(ended);
    }
    expect(await pages.next()).toEqual({ done: true, value: undefined });
    expect(on.waiting).toBe(0);
    expect(getEventListeners(given.signal, 'abort')).toEqual([]);
    expect(getEventListeners(on.closing.signal, 'abort')).toEqual([]);
  },
);

test('what is wrong is said at once', async () => {
  const on = await stored();
  const { queries, collection } = on;
  for (const wrong of [
    (): unknown => queries.watch(collection, { limit: 0 }, {}),
    (): unknown => queries.watch(collection, { after: 'x' }, {}),
    (): unknown => queries.watch(collection, '', {}),
    (): unknown => queries.watch(collection, 5, {}),
    (): unknown => queries.watch(collection, {}, { signal: 'x' }),
    (): unknown => queries.list(collection, { limit: 5 }),
    (): unknown => queries.list(collection, { where: { price: undefined } }),
  ])
    expect(wrong).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
});

test('a watcher that takes long rests as long', async () => {
  const on = await stored();
  const pages = on.queries.watch(on.collection, {}, {}) as Pages;
  on.beforeRead = () => sleep(60);
  await pages.next();
  await on.put([priced('a', 5)]);
  await pages.next();
  expect(on.slept).toHaveLength(1);
  expect(on.slept[0]).toBeGreaterThan(20);
  // A reader that took longer than that has rested enough.
  await sleep(100);
  await on.put([priced('a', 6)]);
  await pages.next();
  expect(on.slept).toHaveLength(1);
  const next = pages.next();
  await on.put([priced('a', 7)]);
  await until(() => on.slept.length === 2);
  await pages.return!();
  expect(await next).toEqual({ done: true, value: undefined });
});

/** What this thread has worked: on a busy machine it waits for its turn as well. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

test('looking at many documents gives others their turns', async () => {
  const on = await stored();
  await on.put(
    Array.from({ length: 20_000 }, (_, n) => ({ id: `x${n}`, state: { price: n, text: 'x'.repeat(1_000) } })),
  );
  const { queries, collection } = on;
  const where = { text: { has: 'y' } };
  for (const read of [
    () => queries.find(collection, { where }),
    () => queries.find(collection, { where, orderBy: [{ text: 'asc' }] }),
    () => queries.count(collection, { where }),
    () => collect(queries.list(collection, { where })),
  ]) {
    const began = cpuMs();
    const work = read().then(() => 'done');
    let turns = 0;
    while ((await Promise.race([work, setImmediate('turn')])) === 'turn') turns += 1;
    // A turn at least every 10 ms of work; some more is allowed where another thread collects garbage.
    expect(turns).toBeGreaterThan((cpuMs() - began) / 20);
  }
});

test('all that exists throughout is listed once, while documents change', async () => {
  const random = seeded();
  const below = (bound: number): number => Math.floor(random() * bound);
  const on = await stored();
  const ids = Array.from({ length: 2_500 }, (_, n) => `d${n}`);
  await on.put(ids.map((id) => priced(id, 1)));
  // Half of the changes are near the reader.
  on.beforeRead = () =>
    on.put(
      Array.from({ length: 20 }, () => priced(below(2) ? ids[below(2_500)]! : `new${below(1_000)}`, 1 + below(9))),
    );
  const listed = await collect(on.queries.list(on.collection, { where: { price: { gte: 1 } } }));
  const found = listed.map(({ id }) => id);
  expect(new Set(found).size).toBe(found.length);
  expect(found).toEqual(expect.arrayContaining([...ids, 'a', 'b', 'c']));
  expect(found).toEqual(found.toSorted());
});

test('a list reads on only when it is asked to, and ends with break, signal and closing', async () => {
  const on = await stored();
  await on.put(Array.from({ length: 3_000 }, (_, n) => priced(`d${n}`, n)));
  const given = new AbortController();
  const list = on.queries.list(on.collection, { signal: given.signal });
  await list.next();
  expect(on.reads).toBe(1);
  await list.return!();
  expect(await list.next()).toEqual({ done: true, value: undefined });
  const second = on.queries.list(on.collection, { signal: given.signal });
  await second.next();
  given.abort(new Error('enough'));
  await expect(second.next()).rejects.toThrow('enough');
  expect(on.reads).toBe(2);
  const third = on.queries.list(on.collection, undefined);
  await third.next();
  on.closing.abort(new Error('closed'));
  await expect(third.next()).rejects.toThrow('closed');
});

test('a page whose documents move meanwhile has each of them once, and is read again where that is cheap', async () => {
  const on = await StoredDocuments.on(memory(), [['price']]);
  await on.put(Array.from({ length: 1_500 }, (_, n) => ({ id: `d${n}`, state: { price: n, even: n % 2 === 0 } })));
  const query = { where: { even: true }, orderBy: [{ price: 'asc' }], limit: 600 };
  let moves = 0;
  on.beforeRead = async () => {
    moves += 1;
    // The first of them goes behind the place that the reader has come to, once while it reads and then always.
    if (moves > 1) await on.put([{ id: `d${2 * moves}`, state: { price: 1_000.5 + moves, even: true } }]);
  };
  const { documents } = await on.queries.find(on.collection, query);
  const found = documents.map(({ id }) => id);
  expect(new Set(found).size).toBe(found.length);
  on.beforeRead = () => undefined;
  on.reads = 0;
  const calm = await on.queries.find(on.collection, query);
  expect([calm.documents.length, on.reads]).toEqual([600, 2]);
});

test('a page deep in a list costs what the first costs, in both directions', async () => {
  const on = await StoredDocuments.on(memory(), [['kind', 'price']]);
  await on.put(Array.from({ length: 3_000 }, (_, n) => ({ id: `d${n}`, state: { kind: n % 3, price: n % 100 } })));
  for (const direction of ['asc', 'desc']) {
    let after: unknown;
    let pages = 0;
    do {
      on.rows = 0;
      const query = { where: { kind: 1, price: { gte: 10 } }, orderBy: [{ price: direction }], limit: 20, after };
      const page: Page<unknown> = await on.queries.find(on.collection, query);
      expect(on.rows).toBeLessThanOrEqual(21);
      pages += 1;
      after = page.next;
    } while (after !== undefined);
    expect(pages).toBe(45);
  }
});
