/** Giving up, by a signal: nothing comes of a command that isn't decided yet, wherever it is on its way. */
import { setImmediate } from 'node:timers/promises';
import { domain, open, type, type Store } from 'tidemark';
import { expect, onTestFinished, test } from 'vitest';
import type { Session } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { onLocalStores } from '../support/stores.ts';

const shop = domain({ events: { PUT: type<{ item_id: string }>() } });
const items = shop.collection('items', {
  key: 'item_id',
  initial: { puts: 0 },
  reduce: { PUT: (s) => ({ puts: s.puts + 1 }) },
});
let prepared = Promise.withResolvers<void>();
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string }>(),
  reads: ({ item_id }) => ({ item: items.ref(item_id) }),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const ask = shop.command('ASK', {
  input: type<{ item_id: string }>(),
  prepare: () => prepared.promise,
  decide: (_, input) => ({ type: 'PUT', ...input }),
});

/** A store whose reads and writes wait where the test says so. */
function gated(store: Store) {
  const gates: { load?: Promise<void>; append?: Promise<void> } = {};
  const passed = { loads: 0, appends: 0 };
  const change = (session: Session): Partial<Session> => ({
    async load(requests, options) {
      if (requests.length > 0) {
        passed.loads += 1;
        await gates.load;
      }
      return session.load(requests, options);
    },
    async append(batch) {
      passed.appends += 1;
      await gates.append;
      return session.append(batch);
    },
  });
  return { store: changedStore(store, change), gates, passed };
}

async function opened(given: Store) {
  const { store, gates, passed } = gated(given);
  const app = await open({ store, collections: [items], commands: [put, ask] });
  onTestFinished(() => app.close());
  const controller = new AbortController();
  const told = (id: string): Promise<unknown> =>
    app.execute(put, { item_id: id }, { id, signal: controller.signal }).then(
      ({ status }) => status,
      (error: unknown) => error,
    );
  return { app, gates, passed, controller, told };
}

const GONE = new Error('the user went away');

onLocalStores('a caller who gives up', (makeStore) => {
  test('after prepare, in the turn in which it ended', async () => {
    const { app, controller } = await opened(makeStore());
    prepared = Promise.withResolvers();
    void prepared.promise.then(() => controller.abort(GONE));
    const asking = app.execute(ask, { item_id: 'i' }, { id: 'c', signal: controller.signal });
    await setImmediate();
    prepared.resolve();
    await expect(asking).rejects.toBe(GONE);
    await setImmediate();
    expect(await app.outcome('c')).toBeUndefined();
  });

  test('in the queue, before and after a batch is taken', async () => {
    const { app, controller, told, gates, passed } = await opened(makeStore());
    // At once: no batch is taken before the next turn.
    const first = told('first');
    controller.abort(GONE);
    expect(await first).toBe(GONE);

    const gate = Promise.withResolvers<void>();
    gates.append = gate.promise;
    const storing = app.execute(put, { item_id: 'other' });
    await expect.poll(() => passed.appends).toBe(1);
    const late = new AbortController();
    const waiting = app.execute(put, { item_id: 'second' }, { id: 'second', signal: late.signal });
    late.abort(GONE);
    await expect(waiting).rejects.toBe(GONE);
    gate.resolve();
    await storing;
    for (const id of ['first', 'second']) expect(await app.outcome(id)).toBeUndefined();
    expect((await app.status()).position).toBe(1);
  });

  test('while the documents of its batch are loaded; its neighbours are stored', async () => {
    const { app, controller, told, gates, passed } = await opened(makeStore());
    const gate = Promise.withResolvers<void>();
    gates.load = gate.promise;
    const neighbour = app.execute(put, { item_id: 'neighbour' });
    const leaving = told('leaving');
    await expect.poll(() => passed.loads).toBe(1);
    controller.abort(GONE);
    gate.resolve();
    expect(await leaving).toBe(GONE);
    expect(await neighbour).toMatchObject({ status: 'succeeded' });
    expect(await app.outcome('leaving')).toBeUndefined();
    expect((await app.status()).position).toBe(1);
  });

  test('while it is stored: it is, and the ledger says so', async () => {
    const { app, controller, told, gates, passed } = await opened(makeStore());
    const gate = Promise.withResolvers<void>();
    gates.append = gate.promise;
    const leaving = told('leaving');
    await expect.poll(() => passed.appends).toBe(1);
    controller.abort(GONE);
    expect(await leaving).toBe(GONE);
    gate.resolve();
    await expect.poll(() => app.outcome('leaving')).toMatchObject({ status: 'succeeded' });
  });
});
