/** get, history, events: now and in the past. */
import { all, domain, event, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { buyService, createService, parts, services, users, viewService } from '../support/market.ts';
import { range } from '../../src/testing/conformance/batches.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

onLocalStores('reading', (makeStore) => {
  test('a document that does not exist is at version 0, with its initial state', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    expect(await app.get(services, 's1')).toEqual({
      collection: 'services',
      definition: 1,
      id: 's1',
      version: 0,
      changed: 0,
      exists: false,
      state: { seller: '', price: 0, quantity: 0 },
    });
  });

  test('one, many, at a version, a position or a time', async () => {
    let now = 1_000;
    await using app = await open({ store: makeStore({ clock: () => now }), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 3 }); // position 1, time 1,000
    now = 2_000;
    await app.execute(viewService, { service_id: 's1' }); // 2
    now = 3_000;
    await app.execute(buyService, { service_id: 's1', buyer_id: 'bob' }); // 3
    await app.execute(buyService, { service_id: 's1', buyer_id: 'eve' }); // 4

    const at = async (point?: object): Promise<[number, number, number]> => {
      const { version, changed, state } = await app.get(services, 's1', point);
      return [version, changed, state.quantity];
    };
    expect(await at()).toEqual([4, 4, 1]);
    expect(await at({})).toEqual([4, 4, 1]);
    expect(await at({ version: 0 })).toEqual([0, 0, 0]);
    expect(await at({ version: 2 })).toEqual([2, 1, 3]);
    expect(await at({ version: 4 })).toEqual([4, 4, 1]);
    expect(await at({ position: 0 })).toEqual([0, 0, 0]);
    expect(await at({ position: 3 })).toEqual([3, 3, 2]);
    expect(await at({ time: 999 })).toEqual([0, 0, 0]);
    expect(await at({ time: 1_000 })).toEqual([1, 1, 3]);
    expect(await at({ time: 2_999 })).toEqual([2, 1, 3]);
    expect(await at({ time: Date.now() })).toEqual([4, 4, 1]);
    // Looking back leaves the present alone.
    expect(await at()).toEqual([4, 4, 1]);

    const [bob, ann, bobAgain] = await app.get(users, ['bob', 'ann', 'bob']);
    expect([bob?.state.spent, ann?.state.earned, bobAgain]).toEqual([5, 10, bob]);
    expect((await app.get(users, ['ann', 'eve'], { position: 3 })).map(({ version }) => version)).toEqual([2, 0]);
    expect(await app.get(users, [])).toEqual([]);
  });

  test('many are read at one consistent point, while others write', async () => {
    const store = makeStore();
    const bank = domain({ events: { MOVED: type<{ from_id: string; to_id: string; cents: number }>() } });
    const accounts = bank.collection('accounts', {
      key: ['from_id', 'to_id'],
      initial: { cents: 0 },
      reduce: { MOVED: (account, e, { id }) => ({ cents: account.cents + (e.to_id === id ? e.cents : -e.cents) }) },
    });
    const move = bank.command('MOVE', {
      input: type<{ from_id: string; to_id: string; cents: number }>(),
      reads: ({ from_id, to_id }) => ({ both: [accounts.ref(from_id), accounts.ref(to_id)] }),
      decide: (_, input) => ({ type: 'MOVED', ...input }),
    });
    await using one = await open({ store, collections: [accounts], commands: [move] });
    await using two = await open({ store, collections: [accounts], commands: [move] });
    const done = { moves: 0 };
    const writer = (async () => {
      for (; done.moves < 200; done.moves += 1) {
        await one.execute(move, {
          from_id: `a${done.moves % 3}`,
          to_id: `a${(done.moves + 1) % 3}`,
          cents: done.moves,
        });
      }
    })();
    let reads = 0;
    while (done.moves < 200) {
      const sum = (await two.get(accounts, ['a0', 'a1', 'a2'])).reduce((cents, { state }) => cents + state.cents, 0);
      expect(sum).toBe(0);
      reads += 1;
    }
    await writer;
    expect(reads).toBeGreaterThan(3);
  });

  test('law 3: the log, forward and backward, by types, in pages', async () => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    await Promise.all(
      Array.from({ length: 1_200 }, (_, n) =>
        n % 3 === 0
          ? app.execute(createService, { service_id: `s${n}` })
          : app.execute(viewService, { service_id: `s${n}` }),
      ),
    );
    const positions = async (options?: object): Promise<number[]> =>
      (await collect(app.events(options))).map(({ position }) => position);
    expect(await positions()).toEqual(range(1, 1_200));
    expect(await positions({ reverse: true })).toEqual(range(1, 1_200).reverse());
    expect(await positions({ after: 100, before: 900 })).toEqual(range(101, 899));
    expect(await positions({ after: 100, before: 900, reverse: true, limit: 600 })).toEqual(range(300, 899).reverse());
    expect(await positions({ types: ['SERVICE_CREATED'] })).toHaveLength(400);
    expect(await positions({ types: ['SERVICE_CREATED', 'SERVICE_VIEWED'], limit: 700 })).toEqual(range(1, 700));
    expect(await positions({ types: [] })).toEqual([]);
    expect(await positions({ types: ['NEVER'] })).toEqual([]);
    expect(await positions({ limit: 0 })).toEqual([]);
    expect(await positions({ after: 1_200 })).toEqual([]);
  });

  test('a type that neither this code nor the log knows is warned of, once a reader, whether it follows or not', async () => {
    const store = makeStore();
    const other = domain({ events: { THING_DONE: type<{ thing_id: string }>() } });
    const things = other.collection('things', { key: 'thing_id', initial: {}, reduce: {} });
    const done = other.command('DO_THING', {
      input: type<{ thing_id: string }>(),
      decide: (_, input) => ({ type: 'THING_DONE', ...input }),
    });
    {
      await using beside = await open({ store, collections: [things], commands: [done] });
      await beside.execute(done, { thing_id: 't1' });
    }
    const logger = keepingLogger();
    const commands = [buyService];
    await using app = await open({ store, ...parts, collections: [], commands, logger });
    logger.lines.length = 0;
    const known = ['SERVICE_VIEWED', 'THING_DONE', 'BUY_SERVICE_FAILED', '$ERRORED', '$OF_LATER'];
    expect(await collect(app.events({ types: known }))).toHaveLength(1);
    expect(await collect(app.events({ types: known, follow: true, limit: 1 }))).toHaveLength(1);
    expect(logger.lines).toEqual([]);

    expect(await collect(app.events({ types: ['SERVICE_VIEWD', 'NOBODYS', 'NOBODYS'] }))).toEqual([]);
    await collect(app.events({ types: ['THINGS_DONE', 'THING_DONE'], follow: true, limit: 1 }));
    expect(logger.lines).toEqual([
      expect.objectContaining({
        level: 'warn',
        details: { types: [{ type: 'SERVICE_VIEWD', nearest: 'SERVICE_VIEWED' }, { type: 'NOBODYS' }] },
        message: expect.stringContaining('"SERVICE_VIEWD" (did you mean SERVICE_VIEWED?), "NOBODYS"') as string,
      }),
      expect.objectContaining({ level: 'warn', details: { types: [{ type: 'THINGS_DONE', nearest: 'THING_DONE' }] } }),
    ]);
  });

  test('the history of a document, in the order of its versions', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 2_000 });
    await Promise.all(
      Array.from({ length: 700 }, (_, n) =>
        app.execute(n % 2 ? viewService : buyService, { service_id: 's1', buyer_id: 'bob' } as never),
      ),
    );
    const versions = async (options?: object): Promise<(number | undefined)[]> =>
      (await collect(app.history(services, 's1', options))).map(
        ({ attachments }) => attachments.find(({ id }) => id === 's1')?.version,
      );
    expect(await versions()).toEqual(Array.from({ length: 701 }, (_, n) => n + 1));
    expect(await versions({ after: 690, limit: 5 })).toEqual([691, 692, 693, 694, 695]);
    expect(await versions({ after: 701 })).toEqual([]);
    expect(await collect(app.history(services, 'never'))).toEqual([]);
    expect((await collect(app.history(users, 'bob'))).every(({ event }) => event.type === 'SERVICE_BOUGHT')).toBe(true);
  });

  test('events and states are frozen deeply', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const outcome = await app.execute(createService, { service_id: 's1' });
    const [read] = await collect(app.events());
    for (const one of [outcome.events[0]!, read!]) {
      expect(
        Object.isFrozen(one) &&
          Object.isFrozen(one.event) &&
          Object.isFrozen(one.attachments) &&
          Object.isFrozen(one.command),
      ).toBe(true);
    }
    expect(Object.isFrozen((await app.get(services, 's1')).state)).toBe(true);
  });

  test('events of an older shape are read in the newest, by readers and reducers; what is stored stays', async () => {
    const store = makeStore();
    const old = domain({ events: { PRICED: type<{ item_id: string; price: number }>() } });
    const oldItems = old.collection('items', {
      key: 'item_id',
      initial: { cents: 0 },
      reduce: { PRICED: (_, { price }) => ({ cents: price * 100 }) },
    });
    const oldPrice = old.command('PRICE', {
      input: type<{ item_id: string; price: number }>(),
      decide: (_, input) => ({ type: 'PRICED', ...input }),
    });
    await using before = await open({ store, collections: [oldItems], commands: [oldPrice] });
    await before.execute(oldPrice, { item_id: 'i1', price: 5 });

    const now = domain({
      events: {
        PRICED: event(type<{ item_id: string; cents: number }>(), {
          version: 2,
          upcast: { 1: ({ item_id, price }) => ({ item_id, cents: price * 100 }) },
        }),
      },
    });
    const items = now.collection('items', {
      key: 'item_id',
      initial: { cents: 0 },
      reduce: { PRICED: (_, { cents }) => ({ cents }) },
    });
    const price = now.command('PRICE', {
      input: type<{ item_id: string; cents: number }>(),
      decide: (_, input) => ({ type: 'PRICED', ...input }),
    });
    await using after = await open({ store, collections: [items], commands: [price] });
    expect((await after.get(items, 'i1')).state).toEqual({ cents: 500 });
    await after.execute(price, { item_id: 'i1', cents: 750 });
    expect((await collect(after.events())).map(({ event: one }) => one)).toEqual([
      { type: 'PRICED', item_id: 'i1', cents: 500 },
      { type: 'PRICED', item_id: 'i1', cents: 750 },
    ]);
    expect((await after.verify()).problems).toEqual([]);
    // The old code can't read the new shape, and says so; it records nothing on such ground.
    await expect(before.get(oldItems, 'i1')).rejects.toMatchObject({ code: 'DomainOutdated' });
  });
});

onLocalStores('reads that depend on what was read', (makeStore) => {
  const shop = domain({
    events: {
      LISTED: type<{ basket_id: string; skus: string[] }>(),
      STOCKED: type<{ sku: string; n: number }>(),
      TAKEN: type<{ basket_id: string; skus: string[] }>(),
    },
  });
  const baskets = shop.collection('baskets', {
    key: 'basket_id',
    initial: { skus: [] as string[] },
    reduce: { LISTED: (_, { skus }) => ({ skus }) },
  });
  const items = shop.collection('items', {
    key: { STOCKED: 'sku', TAKEN: 'skus' },
    initial: { n: 0 },
    reduce: { STOCKED: (item, { n }) => ({ n: item.n + n }), TAKEN: (item) => ({ n: item.n - 1 }) },
  });
  const list = shop.command('LIST', {
    input: type<{ basket_id: string; skus: string[] }>(),
    decide: (_, input) => ({ type: 'LISTED', ...input }),
  });
  const stock = shop.command('STOCK', {
    input: type<{ sku: string; n: number }>(),
    decide: (_, input) => ({ type: 'STOCKED', ...input }),
  });
  const take = shop.command('TAKE', {
    input: type<{ basket_id: string }>(),
    *reads({ basket_id }) {
      const basket = yield* baskets.ref(basket_id);
      return { basket, found: yield* all(basket.state.skus.map((sku) => items.ref(sku))) };
    },
    decide: ({ basket, found }, { basket_id }) => ({
      type: 'TAKEN',
      basket_id,
      skus: found.filter(({ state }) => state.n > 0).map(({ id }) => id),
      of: basket.state.skus.length,
    }),
  });
  const shopParts = { collections: [baskets, items], commands: [list, stock, take] };

  test('stage by stage; within a batch on what the predecessors left', async () => {
    const store = makeStore();
    await using app = await open({ store, ...shopParts, limits: UNHURRIED });
    await app.execute(stock, { sku: 'a', n: 2 });
    await app.execute(stock, { sku: 'b', n: 1 });
    const outcomes = await Promise.all([
      app.execute(list, { basket_id: 'k', skus: ['a', 'b'] }),
      app.execute(take, { basket_id: 'k' }),
      app.execute(list, { basket_id: 'k', skus: ['b', 'a', 'a', 'c'] }),
      app.execute(take, { basket_id: 'k' }),
      app.execute(stock, { sku: 'c', n: 1 }),
      app.execute(take, { basket_id: 'k' }),
    ]);
    expect((await app.status()).counters.batches).toBe(3);
    expect(
      outcomes
        .flatMap(({ events }) => events.map(({ event: one }) => one))
        .filter(({ type: name }) => name === 'TAKEN'),
    ).toMatchObject([{ skus: ['a', 'b'] }, { skus: ['a', 'a'] }, { skus: ['c'] }]);
    // A fresh application, with nothing in its cache, folds and decides the same.
    await using fresh = await open({ store, ...shopParts });
    expect((await fresh.get(items, ['a', 'b', 'c'])).map(({ state }) => state.n)).toEqual([0, 0, 0]);
    const again = await Promise.all([
      fresh.execute(take, { basket_id: 'k' }),
      fresh.execute(take, { basket_id: 'none' }),
    ]);
    expect(again.map(({ events }) => events[0]!.event['skus'])).toEqual([[], []]);
    expect((await fresh.verify()).problems).toEqual([]);
  });

  test('a document that only a later stage read is ground too', async () => {
    const store = makeStore();
    await using one = await open({ store, ...shopParts });
    await using two = await open({ store, ...shopParts });
    await one.execute(list, { basket_id: 'k', skus: ['a'] });
    await one.execute(stock, { sku: 'a', n: 50 });
    await Promise.all([one.get(items, 'a'), two.get(items, 'a')]);
    const outcomes = await Promise.all(
      Array.from({ length: 80 }, (_, n) => (n % 2 ? one : two).execute(take, { basket_id: 'k' })),
    );
    expect(outcomes.filter(({ events }) => events[0]!.event['skus'].length === 1)).toHaveLength(50);
    expect((await one.get(items, 'a')).state.n).toBe(0);
    expect((await two.verify()).problems).toEqual([]);
  });
});
