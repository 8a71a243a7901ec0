/** The registry of collections: several versions of an application, and programs that know half of it, on one log. */
import { DefinitionChanged, domain, DomainOutdated, failure, open, RebuildRequired, type } from 'tidemark';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';

const events = {
  ORDERED: type<{ order_id: string; customer_id: string; cents: number }>(),
  NOTED: type<{ order_id: string; text: string }>(),
};

/** The application as it was, and as it is after a release that also handles notes. */
function release(version: 1 | 2) {
  const shop = domain({ events });
  const orders = shop.collection('orders', {
    key: 'order_id',
    initial: { cents: 0, notes: 0 },
    reduce: {
      ORDERED: (order, { cents }) => ({ ...order, cents: order.cents + cents }),
      ...(version === 2 && {
        NOTED: (order: { cents: number; notes: number }) => ({ ...order, notes: order.notes + 1 }),
      }),
    },
  });
  const customers = shop.collection('customers', {
    key: 'customer_id',
    initial: { orders: 0 },
    reduce: { ORDERED: (customer) => ({ orders: customer.orders + 1 }) },
  });
  const order = shop.command('ORDER', {
    input: type<{ order_id: string; customer_id: string; cents: number }>(),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: (documents, input) =>
      documents.order.state.cents > 1_000 ? failure('ENOUGH') : { type: 'ORDERED', ...input },
  });
  const note = shop.command('NOTE', {
    input: type<{ order_id: string; text: string }>(),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: (documents, input) => (documents.order.state.notes >= 3 ? failure('FULL') : { type: 'NOTED', ...input }),
  });
  return { orders, customers, order, note, parts: { collections: [orders, customers], commands: [order, note] } };
}

onLocalStores('a rolling deploy', (makeStore) => {
  test('what is handled is the deciding code’s word: each release is protected by its own reducers', async () => {
    const store = makeStore();
    const old = release(1);
    const now = release(2);
    await using before = await open({ store, ...old.parts });
    await using after = await open({ store, ...now.parts });
    await before.execute(old.order, { order_id: 'o', customer_id: 'c', cents: 5 });
    await Promise.all([before.get(old.orders, 'o'), after.get(now.orders, 'o')]);
    // The old code doesn't count notes: notes of the new one are no conflict for it, and the other way round they are.
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, (_, n) => [
        after.execute(now.note, { order_id: 'o', text: `${n}` }),
        before.execute(old.order, { order_id: 'o', customer_id: 'c', cents: 1 }),
      ]).flat(),
    );
    expect(outcomes.filter(({ reason }) => reason === 'FULL')).toHaveLength(3);
    const [seenBefore, seenAfter] = await Promise.all([before.get(old.orders, 'o'), after.get(now.orders, 'o')]);
    expect([seenBefore.version, seenAfter.version]).toEqual([13, 13]);
    expect([seenBefore.state, seenAfter.state]).toEqual([
      { cents: 11, notes: 0 },
      { cents: 11, notes: 3 },
    ]);
    expect((await before.status()).counters.conflicts).toBeLessThanOrEqual(1);
    for (const app of [before, after]) expect((await app.verify()).problems).toEqual([]);
  });

  test('a script that knows half of the collections keeps the others whole', async () => {
    const store = makeStore();
    const full = release(2);
    await using app = await open({ store, ...full.parts });
    const half = release(2);
    await using script = await open({ store, collections: [half.orders], commands: [half.order] });
    const outcome = await script.execute(half.order, { order_id: 'o', customer_id: 'c', cents: 5 });
    expect(outcome.events[0]?.attachments).toEqual([
      { collection: 'customers', id: 'c', version: 1 },
      { collection: 'orders', id: 'o', version: 1 },
    ]);
    expect((await app.get(full.customers, 'c')).state.orders).toBe(1);
    for (const one of [app, script]) expect((await one.verify()).problems).toEqual([]);
  });

  test('a collection registered while a server is running is attached by it from then on', async () => {
    const store = makeStore();
    const half = release(1);
    const full = release(1);
    await using early = await open({ store, collections: [half.orders], commands: [half.order] });
    await using late = await open({ store, ...full.parts });
    expect((await late.status()).generation).toBe(2);
    await early.execute(half.order, { order_id: 'o', customer_id: 'c', cents: 5 });
    expect((await early.status()).generation).toBe(2);
    expect((await late.get(full.customers, 'c')).state.orders).toBe(1);
  });
});

const shopWith = (key: object | string, definition: number, name = 'orders') => {
  const made = domain({ events });
  const orders = made.collection(name, { key: key as 'order_id', initial: {}, reduce: {}, definition });
  const order = made.command('ORDER', {
    input: type<{ order_id: string; customer_id: string; cents: number }>(),
    decide: (_, input) => ({ type: 'ORDERED', ...input }),
  });
  return { order, parts: { collections: [orders], commands: [order] } };
};

onLocalStores('what open refuses', (makeStore) => {
  const input = { order_id: 'o', customer_id: 'c', cents: 1 };

  test('on a log that is not empty: a changed key, a changed definition, a new collection, each by name', async () => {
    const store = makeStore();
    const first = shopWith('order_id', 1);
    await using app = await open({ store, ...first.parts });
    // While the log is empty nothing is lost by a collection more.
    await using more = await open({
      store,
      collections: shopWith('customer_id', 1, 'customers').parts.collections,
      commands: [],
    });
    await app.execute(first.order, input);
    for (const [changed, said, named] of [
      [shopWith('customer_id', 1), 'orders', DefinitionChanged],
      [shopWith(['order_id', 'customer_id'], 1), 'orders', DefinitionChanged],
      [shopWith({ ORDERED: 'order_id' }, 1), 'orders', DefinitionChanged],
      [shopWith({ ORDERED: () => 'x' }, 1), 'orders', DefinitionChanged],
      [shopWith('order_id', 2), 'orders', RebuildRequired],
      [shopWith('order_id', 1, 'invoices'), 'invoices', RebuildRequired],
    ] as const) {
      const opened = open({ store, ...changed.parts, definitions: 'refuse' });
      const error: unknown = await opened.catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(named);
      expect((error as Error).message).toContain(said);
    }
    // Nothing was changed by trying.
    await using again = await open({ store, ...shopWith('order_id', 1).parts });
    expect((await again.status()).generation).toBe(2);
    expect((await more.verify()).problems).toEqual([]);
  });

  test('collections in the order that they are given in, in the same words on every store', async () => {
    const store = makeStore();
    const first = shopWith('order_id', 1);
    await using app = await open({ store, ...first.parts });
    await app.execute(first.order, input);
    const made = domain({ events });
    const options = { initial: {}, reduce: {} };
    const orders = made.collection('orders', { ...options, key: 'customer_id' });
    const invoices = made.collection('invoices', { ...options, key: 'order_id' });
    const said = (collections: readonly (typeof orders | typeof invoices)[]): Promise<string> =>
      open({ store, collections, commands: [], definitions: 'refuse' }).then(
        () => 'opened',
        (error: unknown) => (error as Error).message,
      );
    expect(await said([invoices, orders])).toBe(
      'The collection invoices is new, and the log already holds events: its documents have to be made. Open it once with ' +
        "definitions: 'before', or let it be made while the application runs ('online'), or leave it out.",
    );
    expect(await said([orders, invoices])).toBe(
      'The collection orders is registered with another key: {"fields":["order_id"]}, not {"fields":["customer_id"]}. ' +
        'Stored events are attached by the registered key: go back to it, or raise definition to 2: then its documents are ' +
        'made again.',
    );
  });

  test('a key function that this code does not have, before and while it runs', async () => {
    const store = makeStore();
    const plain = shopWith('order_id', 1);
    await using early = await open({ store, ...plain.parts });
    const withFunction = shopWith({ ORDERED: (e: { cents: number }) => `price-${e.cents}` }, 1, 'prices');
    await using app = await open({ store, ...withFunction.parts });
    await expect(open({ store, ...plain.parts })).rejects.toThrow(DomainOutdated);
    await expect(early.execute(plain.order, input)).rejects.toThrow(DomainOutdated);
    expect((await early.status()).position).toBe(0);
    await app.execute(withFunction.order, input);
    expect((await app.get(withFunction.parts.collections[0]!, 'price-1')).version).toBe(1);
    expect((await app.verify()).problems).toEqual([]);
  });
});
