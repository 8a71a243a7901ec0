/**
 * Law 1, where a command calls the outside world: sent again while it is on its way it waits for what comes of that, and
 * nobody is called twice.
 */
import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { domain, failure, open, StoreUnavailable, type, type Outcome, type Store } from 'tidemark';
import { expect, onTestFinished, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { keepingLogger, onLocalStores } from '../support/stores.ts';

interface Charge {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

/** Charges whenever it is asked to, and answers when the test says so. */
class Provider {
  readonly charges: Charge[] = [];
  #asked = Promise.withResolvers<void>();

  charge(key: string, signal: AbortSignal): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const name = `charge ${this.charges.length + 1}`;
    this.charges.push({ key, signal, done: () => resolve(name), fail: reject });
    this.#asked.resolve();
    this.#asked = Promise.withResolvers();
    return promise;
  }

  /** The n-th charge, once it has been asked for. */
  async asked(n: number): Promise<Charge> {
    while (this.charges.length < n) await this.#asked.promise;
    return this.charges[n - 1]!;
  }
}

/** A shop that charges by a provider, and may have a bug. */
function shopOf(provider: Provider, bug = { there: false }) {
  const shop = domain({
    events: {
      ORDERED: type<{ order_id: string }>(),
      PAID: type<{ order_id: string; charge: string }>(),
    },
  });
  const orders = shop.collection('orders', {
    key: 'order_id',
    initial: { charge: '' },
    reduce: { ORDERED: (order) => order, PAID: (_, { charge }) => ({ charge }) },
  });
  const order = shop.command('ORDER', {
    input: type<{ order_id: string }>(),
    decide: (_, input) => ({ type: 'ORDERED', ...input }),
  });
  const pay = shop.command('PAY', {
    input: type<{ order_id: string }>(),
    prepare: (_, { id, signal }) => provider.charge(id, signal),
    reads: ({ order_id }) => ({ order: orders.ref(order_id) }),
    decide: ({ order: { state } }, { order_id }, { prepared }) => {
      if (bug.there) throw new RangeError('a bug in decide');
      return state.charge === '' ? { type: 'PAID', order_id, charge: prepared } : failure('PAID_ALREADY');
    },
  });
  return { orders, order, pay, parts: { collections: [orders], commands: [order, pay], logger: keepingLogger() } };
}

const input = { order_id: 'o1' };
/** Long enough for whoever was called to have come as far as it can. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await setImmediate();
}
const settled = (doing: readonly Promise<unknown>[]): Promise<readonly PromiseSettledResult<unknown>[]> =>
  Promise.allSettled(doing);

async function opened(store: Store, limits = {}) {
  const provider = new Provider();
  const bug = { there: false };
  const shop = shopOf(provider, bug);
  const app = await open({ store, ...shop.parts, limits });
  onTestFinished(() => app.close());
  const pay = (options: object = {}): Promise<Outcome> => app.execute(shop.pay, input, { id: 'pay', ...options });
  return { ...shop, payment: shop.pay, provider, bug, app, pay };
}

onLocalStores('a command on its way', (makeStore) => {
  test('the same id three times at once charges once, also where two applications of a process have one store', async () => {
    const store = makeStore();
    const { app, pay, provider, ...shop } = await opened(store);
    await using other = await open({ store, ...shop.parts });
    const all = [pay(), pay(), other.execute(shop.payment, input, { id: 'pay' }), pay()];
    (await provider.asked(1)).done();
    const outcomes = await Promise.all(all);
    expect(provider.charges).toMatchObject([{ key: 'pay' }]);
    expect(outcomes.map(({ replayed }) => replayed)).toEqual([false, true, true, true]);
    for (const outcome of outcomes) expect(outcome).toEqual({ ...outcomes[0], replayed: outcome !== outcomes[0] });
    expect(await pay()).toEqual({ ...outcomes[0], replayed: true });
    expect((await app.status()).counters).toMatchObject({ commands: 4, replayed: 3 });
    expect((await other.status()).counters).toMatchObject({ commands: 1, replayed: 1 });
    // Each knows what the other has stored.
    expect((await other.get(shop.orders, 'o1')).state).toEqual({ charge: 'charge 1' });
    expect(provider.charges).toHaveLength(1);
  });

  test('law 4: what one of those who waited does to what it was told, nobody else is told', async () => {
    const { app, pay, provider } = await opened(makeStore());
    const all = [pay(), pay()];
    (await provider.asked(1)).done();
    const [one, other] = await Promise.all(all);
    const told = structuredClone(other);
    for (const { attachments } of [...one!.events, ...(await pay()).events]) {
      for (const attached of attachments) expect(Reflect.set(attached, 'id', 'o2')).toBe(false);
    }
    expect(other).toEqual(told);
    for await (const { attachments } of app.events()) {
      for (const attached of attachments) expect(Object.isFrozen(attached)).toBe(true);
    }
  });

  test('another command, input or actor under the id of one on its way is refused at once', async () => {
    const { app, pay, provider, order, ...shop } = await opened(makeStore());
    const first = pay();
    const charge = await provider.asked(1);
    const reused = { code: 'CommandIdReused', details: { id: 'pay' } };
    await expect(app.execute(shop.payment, { order_id: 'o2' }, { id: 'pay' })).rejects.toMatchObject(reused);
    await expect(pay({ actor: 'eve' })).rejects.toMatchObject(reused);
    await expect(app.execute(order, input, { id: 'pay' })).rejects.toMatchObject(reused);
    charge.done();
    expect((await first).status).toBe('succeeded');
    // The other way round nobody is charged for it.
    const [ordered, refused] = await settled([
      app.execute(order, input, { id: 'order' }),
      app.execute(shop.payment, input, { id: 'order' }),
    ]);
    expect(ordered).toMatchObject({ status: 'fulfilled' });
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'CommandIdReused' } });
    expect(provider.charges).toHaveLength(1);
  });

  test('where prepare throws, all who wait are told, and nobody is called until somebody asks again', async () => {
    const { app, pay, provider } = await opened(makeStore());
    const all = settled([pay(), pay(), pay()]);
    const error = new Error('socket hang up');
    (await provider.asked(1)).fail(error);
    expect(await all).toEqual(Array.from({ length: 3 }, () => ({ status: 'rejected', reason: error })));
    await turns();
    expect(provider.charges).toHaveLength(1);
    expect(await app.outcome('pay')).toBeUndefined();
    const again = pay();
    (await provider.asked(2)).done();
    expect(await again).toMatchObject({ status: 'succeeded', replayed: false });
    expect(provider.charges.map(({ key }) => key)).toEqual(['pay', 'pay']);
  });

  test('what isn’t final is told to all who wait, and prepared again only for who asks after that', async () => {
    const { pay, provider, bug } = await opened(makeStore());
    bug.there = true;
    const all = Promise.all([pay(), pay()]);
    (await provider.asked(1)).done();
    const [first, second] = await all;
    expect(first).toMatchObject({ status: 'failed', reason: 'ERROR', retryable: true, replayed: false });
    expect(second).toEqual({ ...first, replayed: true });
    bug.there = false;
    const again = pay();
    (await provider.asked(2)).done();
    expect(await again).toMatchObject({ status: 'succeeded', replayed: false });
  });

  test('one caller’s abort is nobody else’s; that of all is told to prepare', async () => {
    const { pay, provider } = await opened(makeStore());
    const [one, two] = [new AbortController(), new AbortController()];
    const reason = new Error('enough');
    const first = pay({ signal: one.signal });
    const second = pay({ signal: two.signal });
    const third = pay({ signal: two.signal });
    const charge = await provider.asked(1);
    one.abort(reason);
    await expect(first).rejects.toBe(reason);
    expect(charge.signal.aborted).toBe(false);
    two.abort(reason);
    await expect(second).rejects.toBe(reason);
    await expect(third).rejects.toBe(reason);
    expect(charge.signal.aborted).toBe(true);
    expect(charge.signal.reason).toBe(reason);
    for (const { signal } of [one, two]) expect(getEventListeners(signal, 'abort')).toEqual([]);
    // Whoever comes now isn't told of others' aborts either: prepare has come to its end first, and then runs for him.
    const fourth = pay();
    await turns();
    expect(provider.charges).toHaveLength(1);
    charge.fail(charge.signal.reason);
    (await provider.asked(2)).done();
    expect(await fourth).toMatchObject({ status: 'succeeded' });
    expect(provider.charges[1]!.signal.aborted).toBe(false);
  });

  test('prepare that went on although nobody waited any more has done it for who comes then', async () => {
    const { app, pay, provider } = await opened(makeStore());
    const controller = new AbortController();
    const first = settled([pay({ signal: controller.signal })]);
    const charge = await provider.asked(1);
    controller.abort();
    await first;
    const second = pay();
    await turns();
    charge.done();
    expect((await second).events[0]!.event['charge']).toBe('charge 1');
    expect(provider.charges).toHaveLength(1);
    // Without anybody who came then, nothing is recorded.
    const gone = new AbortController();
    const nobody = settled([pay({ id: 'never', signal: gone.signal })]);
    const another = await provider.asked(2);
    gone.abort();
    await nobody;
    another.done();
    await turns();
    expect(await app.outcome('never')).toBeUndefined();
  });

  test('given up while it is stored: who comes then is answered, and nobody is charged for that', async () => {
    const store = makeStore();
    const reached = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const slow = changedStore(store, (session) => ({
      append: async (batch) => {
        reached.resolve();
        await held.promise;
        return session.append(batch);
      },
    }));
    const { pay, provider } = await opened(slow);
    const controller = new AbortController();
    const first = settled([pay({ signal: controller.signal })]);
    (await provider.asked(1)).done();
    await reached.promise;
    controller.abort();
    expect(await first).toMatchObject([{ status: 'rejected' }]);
    const second = pay();
    await turns();
    held.resolve();
    expect(await second).toMatchObject({ status: 'succeeded', replayed: true });
    expect(provider.charges).toHaveLength(1);
  });

  test('what one caller’s `unchanged` refuses isn’t refused to others, who were charged already', async () => {
    const { app, pay, order, orders, provider } = await opened(makeStore());
    await app.execute(order, input);
    const seen = await app.get(orders, 'o1');
    await app.execute(order, input);
    const all = settled([
      pay({ unchanged: [seen] }),
      pay(),
      pay({ unchanged: [{ ...seen }] }),
      pay({ unchanged: [{ ...seen, version: 99 }] }),
    ]);
    (await provider.asked(1)).done();
    expect(await all).toMatchObject([
      { status: 'rejected', reason: { code: 'Conflict' } },
      { status: 'fulfilled', value: { status: 'succeeded', replayed: false } },
      { status: 'rejected', reason: { code: 'Conflict' } },
      { status: 'fulfilled', value: { status: 'succeeded', replayed: true } },
    ]);
    expect(provider.charges).toHaveLength(1);
  });

  test('a store that is away is told to all who wait; sent again, the key is the same', async () => {
    let away = false;
    const store = changedStore(makeStore(), (session) => ({
      append: async (batch) => {
        if (away) throw new StoreUnavailable('The store can’t be reached.', { unknown: false });
        return session.append(batch);
      },
    }));
    const { pay, provider } = await opened(store);
    away = true;
    const all = settled([pay(), pay()]);
    (await provider.asked(1)).done();
    const unavailable = { status: 'rejected', reason: { code: 'StoreUnavailable' } };
    expect(await all).toMatchObject([unavailable, unavailable]);
    expect(provider.charges).toHaveLength(1);
    away = false;
    const again = pay();
    (await provider.asked(2)).done();
    expect(await again).toMatchObject({ status: 'succeeded' });
    expect(provider.charges.map(({ key }) => key)).toEqual(['pay', 'pay']);
  });

  test('who waits counts: one more than the queue may hold is refused, before anybody is called', async () => {
    const { pay, provider } = await opened(makeStore(), { queueCommandsMax: 5 });
    const all = Array.from({ length: 5 }, () => pay());
    await expect(pay()).rejects.toMatchObject({ code: 'Overloaded', details: { waiting: 5, max: 5 } });
    await expect(pay({ id: 'another' })).rejects.toMatchObject({ code: 'Overloaded' });
    (await provider.asked(1)).done();
    expect((await Promise.all(all)).filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(provider.charges).toHaveLength(1);
    expect((await pay()).replayed).toBe(true);
  });

  test('who has more than an even share on its way leaves the last places to others', async () => {
    const { pay, provider } = await opened(makeStore(), { queueCommandsMax: 20 });
    const rude = Array.from({ length: 18 }, (_, n) => pay({ id: `rude-${n}`, actor: 'rude' }));
    await expect(pay({ id: 'more', actor: 'rude' })).rejects.toMatchObject({
      code: 'Overloaded',
      details: { waiting: 18 },
    });
    const honest = [pay({ id: 'one', actor: 'one' }), pay({ id: 'two', actor: 'two' })];
    await expect(pay({ id: 'three', actor: 'three' })).rejects.toMatchObject({ code: 'Overloaded' });
    for (let n = 1; n <= 20; n += 1) (await provider.asked(n)).done();
    expect(await Promise.all([...rude, ...honest])).toHaveLength(20);
    expect(provider.charges).toHaveLength(20);
  });

  test('closing tells all who wait for prepare; another application on the store goes on for its own', async () => {
    const store = makeStore();
    const { app, pay, provider, ...shop } = await opened(store);
    await using other = await open({ store, ...shop.parts });
    const first = settled([pay(), pay()]);
    const charge = await provider.asked(1);
    const third = other.execute(shop.payment, input, { id: 'pay' });
    await app.close();
    const closed = { status: 'rejected', reason: { code: 'Closed' } };
    expect(await first).toMatchObject([closed, closed]);
    expect(charge.signal.aborted).toBe(false);
    charge.done();
    expect(await third).toMatchObject({ status: 'succeeded' });
    expect(provider.charges).toHaveLength(1);
    await expect(pay()).rejects.toMatchObject({ code: 'Closed' });
  });

  test('a command without an id has one of its own, and waits for nobody', async () => {
    const { pay, provider } = await opened(makeStore());
    const all = [pay({ id: undefined }), pay({ id: undefined })];
    for (const n of [1, 2]) (await provider.asked(n)).done();
    expect((await Promise.all(all)).map(({ status }) => status).sort()).toEqual(['failed', 'succeeded']);
    expect(new Set(provider.charges.map(({ key }) => key)).size).toBe(2);
  });
});
