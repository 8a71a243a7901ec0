/** A set that is far behind is made in memory, by one server, which shows that it is at it however long a part of its work takes. */
import { domain, open, type, type Limits, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { PLACE_MARK } from '../../src/store/store.ts';
import { isBeingMade } from '../../src/engine/reduction/marks.ts';
import { changedStore } from '../faults/over-session.ts';
import { keepingLogger, onLocalStores } from '../support/stores.ts';
import { storedSet } from '../support/stored-set.ts';
import { until } from '../support/until.ts';

/** So many events behind, a set is made. */
const FAR = 10_000;

/** Counters; `slow` milliseconds are spent on each event with a negative number. */
const counting = (slow = 0) => {
  const shop = domain({ events: { ADDED: type<{ counter_id: string; by: number }>() } });
  const counters = shop.collection('counters', {
    key: 'counter_id',
    initial: { sum: 0, times: 0 },
    reduce: {
      ADDED({ sum, times }, { by }) {
        const end = performance.now() + (by < 0 ? slow : 0);
        while (performance.now() < end);
        return { sum: sum + by, times: times + 1 };
      },
    },
    indexes: ['times'],
  });
  const add = shop.command('ADD', {
    input: type<{ all: readonly (readonly [id: number, by: number])[] }>(),
    decide: (_, { all }) => all.map(([id, by]) => ({ type: 'ADDED' as const, counter_id: `c${id}`, by })),
  });
  const parts = { collections: [counters], commands: [add], logger: keepingLogger() } as const;
  const opened = async (store: Store, reduction: 'background' | 'off' = 'background', limits: Partial<Limits> = {}) => {
    const app = await open({ ...parts, store, reduction, limits });
    onTestFinished(() => app.close());
    return app;
  };
  /** Stores events, a thousand of them in a commit. */
  const added = async (
    app: Awaited<ReturnType<typeof opened>>,
    count: number,
    of: (n: number) => [number, number],
  ): Promise<void> => {
    for (let from = 0; from < count; from += 1_000) {
      const all = Array.from({ length: Math.min(1_000, count - from) }, (_, n) => of(from + n));
      await app.execute(add, { all });
    }
  };
  return { counters, add, opened, added };
};

/** Counts how often a server has claimed a set. */
function claiming(store: Store): Store & { claims: number } {
  const counted = {
    ...changedStore(store, (session) => ({
      async advance(step) {
        const stepped = await session.advance(step);
        if (stepped === 'stored' && isBeingMade(step.to)) counted.claims += 1;
        return stepped;
      },
    })),
    claims: 0,
  };
  return counted;
}

/** Two servers open a log one after the other. Resolves once its set is at the end. */
async function madeByOne(plain: Store, slowed: Store, { opened }: ReturnType<typeof counting>): Promise<void> {
  const [one, two] = [claiming(slowed), claiming(slowed)];
  await opened(one);
  await until(() => one.claims > 0);
  await opened(two);
  const stored = await storedSet(plain);
  const { position } = (await stored.session.commits({ reverse: true, limit: 1 }))[0]!;
  await until(async () => (await stored.place()).position >= position && !isBeingMade(await stored.place()));
  expect(two.claims).toBe(0);
  expect((await (await counting().opened(plain, 'off')).verify()).problems).toEqual([]);
}

test('reading what is stored takes long: nobody else takes over', async () => {
  const plain = memory();
  const counted = counting();
  const { opened, added } = counted;
  const first = await opened(plain);
  await added(first, 6_000, (n) => [n, 1]);
  await until(async () => (await first.status()).reduction.lagEvents === 0);
  await first.close();
  const writer = await opened(plain, 'off');
  await added(writer, FAR, (n) => [n % 6_000, 1]);
  await writer.close();
  const slowed = changedStore(plain, (session) => ({
    async stored(range) {
      if ('ids' in range || range.limit > 0) await sleep(500);
      return session.stored(range);
    },
  }));
  await madeByOne(plain, slowed, counted);
});

test('folding takes long: nobody else takes over', async () => {
  const plain = memory();
  const writing = counting();
  const writer = await writing.opened(plain, 'off');
  await writing.added(writer, FAR, (n) => [n % 100, n > 4_000 && n < 4_400 ? -1 : 1]);
  await writer.close();
  await madeByOne(plain, plain, counting(10));
});

onLocalStores('making a set that holds documents', (makeStore) => {
  test('only those that events are of are read, once', async () => {
    const plain = makeStore();
    const { opened, added, counters } = counting();
    const first = await opened(plain);
    await added(first, 3_000, (n) => [n, 1]);
    await until(async () => (await first.status()).reduction.lagEvents === 0);
    await first.close();
    const writer = await opened(plain, 'off');
    await added(writer, FAR, (n) => [n % 10, n]);
    await writer.close();
    let rows = 0;
    const store = claiming(
      changedStore(plain, (session) => ({
        async stored(range) {
          const page = await session.stored(range);
          rows += page?.documents.length ?? 0;
          return page;
        },
      })),
    );
    const app = await opened(store);
    await until(async () => (await app.status()).reduction.lagEvents === 0);
    expect(store.claims).toBeGreaterThan(0);
    expect(rows).toBeLessThan(20);
    expect(await app.count(counters, { where: { times: 1_001 } })).toBe(10);
    expect(await app.count(counters)).toBe(3_000);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('again makes queries wait that have read it before: documents are ahead of it meanwhile', async () => {
    const store = makeStore();
    const { opened, added, counters } = counting();
    const app = await opened(store, 'background', { rebuildingWaitMs: 1_500 });
    await added(app, 3, (n) => [n, 1]);
    expect((await app.find(counters)).documents).toHaveLength(3);
    const { session, set, ...stored } = await storedSet(store);
    const from = await stored.place();
    const sound = (await stored.document('c1'))!;
    const ahead = { ...sound, version: 2, changed: 2, state: '{"sum":5,"times":2}' };
    const { generation } = await session.registry();
    const { end: seen } = await session.load([]);
    const marked = { position: from.position, hash: `${PLACE_MARK}${'f'.repeat(32)}` };
    const step = { set, generation, seen, dropped: [], added: [] };
    expect(await session.advance({ ...step, from, to: marked, documents: [ahead] })).toBe('stored');
    await expect(app.find(counters, { fresh: false })).rejects.toMatchObject({ code: 'Rebuilding' });
    const found = app.find(counters, { fresh: false });
    expect(await session.advance({ ...step, from: marked, to: from, documents: [sound] })).toBe('stored');
    expect((await found).documents.map(({ version }) => version)).toEqual([1, 1, 1]);
  });
});
