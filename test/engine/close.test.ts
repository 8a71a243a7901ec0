/** Closing an application: within a bound, with everybody told what became of what they asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { domain, open, StoreUnavailable, type, type Store } from 'tidemark';
import { expect, onTestFinished, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

const shop = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
const items = shop.collection('items', { key: 'item_id', initial: { n: 0 }, reduce: { PUT: (_, { n }) => ({ n }) } });
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string; n: number }>(),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
/** Of whoever waits for `prepare`: the signal that it was given. */
let signal: AbortSignal | undefined;
const ask = shop.command('ASK', {
  input: type<{ item_id: string; n: number }>(),
  prepare: async (_, given) => {
    signal = given.signal;
    await new Promise<never>(() => undefined);
  },
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const parts = { collections: [items], commands: [put, ask] };

/** Much longer than anything here takes, and much shorter than the timeouts of locks added up. */
const PATIENCE_MS = 20_000;

async function opened(store: Store) {
  const logger = keepingLogger();
  const app = await open({ store, ...parts, logger });
  onTestFinished(() => app.close());
  return app;
}

/** Somebody else holds the write lock until the test is over, or gives it back. */
async function lock(store: Store): Promise<() => Promise<void>> {
  const session = await store.open();
  const held = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const holding = session.exclusive(async () => {
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const giveBack = async (): Promise<void> => {
    release.resolve();
    await holding;
    await session.close();
  };
  onTestFinished(giveBack);
  return giveBack;
}

interface CommandEnd {
  readonly id: string;
  readonly code: string | undefined;
  readonly unknown: unknown;
}

onLocalStores('closing', (makeStore) => {
  test('stores all that is in the queue, however long that is', async () => {
    const store = makeStore();
    const app = await opened(store);
    const asked = Array.from({ length: 3_000 }, (_, n) => app.execute(put, { item_id: `i${n}`, n }));
    await app.close();
    expect((await Promise.all(asked)).every(({ status }) => status === 'succeeded')).toBe(true);
    await using again = await open({ store, ...parts });
    expect((await again.status()).position).toBe(3_000);
  });

  test('law 1: behind a lock it ends all the same, and what was told to be refused is never stored', async () => {
    const store = makeStore();
    const app = await opened(store);
    await app.execute(put, { item_id: 'i', n: 0 });
    const giveBack = await lock(store);
    const asked = Array.from({ length: 2_500 }, async (_, n): Promise<CommandEnd> => {
      const id = `c${n}`;
      return app.execute(put, { item_id: `i${n}`, n }, { id }).then(
        () => ({ id, code: undefined, unknown: undefined }),
        ({ code, details }) => ({ id, code, unknown: details.unknown }),
      );
    });
    const start = performance.now();
    await app.close({ timeout: 100 });
    expect(performance.now() - start).toBeLessThan(PATIENCE_MS);
    const told = await Promise.all(asked);
    const wrong = told.filter(
      ({ code, unknown }) => code !== 'Closed' && !(code === 'StoreUnavailable' && unknown === true),
    );
    expect(wrong).toEqual([]);
    expect(told.some(({ code }) => code === 'Closed')).toBe(true);
    await giveBack();
    await using other = await open({ store, ...parts });
    await other.execute(put, { item_id: 'later', n: 1 });
    await sleep(50);
    const refused = told.filter(({ code }) => code === 'Closed');
    expect((await Promise.all(refused.map(({ id }) => other.outcome(id)))).filter(Boolean)).toEqual([]);
    // And whoever was in doubt asks again.
    expect(await other.execute(put, { item_id: 'i0', n: 0 }, { id: 'c0' })).toMatchObject({ status: 'succeeded' });
  });

  test('waits for nothing if it is told so', async () => {
    const store = makeStore();
    const app = await opened(store);
    const asked = Promise.allSettled(Array.from({ length: 50 }, (_, n) => app.execute(put, { item_id: 'i', n })));
    await app.close({ timeout: 0 });
    const told = (await asked).map((one) => (one.status === 'rejected' ? one.reason.code : one.status));
    expect(told.filter((one) => !['fulfilled', 'Closed', 'StoreUnavailable'].includes(one))).toEqual([]);
  });

  test('ends what reads the log, also in the middle', async () => {
    const store = makeStore();
    const app = await opened(store);
    for (let n = 0; n < 3; n += 1) {
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => app.execute(put, { item_id: `i${i}`, n })));
    }
    const iterating = async (): Promise<void> => {
      for await (const _ of app.events()) await sleep(1);
    };
    const reading = Promise.allSettled([
      app.verify(),
      app.fold(items),
      iterating(),
      collect(app.events({ follow: true })),
      collect(app.history(items, 'i0', { follow: true })),
    ]);
    await sleep(1);
    const start = performance.now();
    await app.close();
    expect(performance.now() - start).toBeLessThan(PATIENCE_MS);
    for (const outcome of await reading) expect(outcome).toMatchObject({ reason: { code: 'Closed' } });
  });

  test('tells whoever waits for prepare, and prepare itself', async () => {
    const app = await opened(makeStore());
    const asking = app.execute(ask, { item_id: 'i', n: 1 }).catch((error: unknown) => error);
    await expect.poll(() => signal?.aborted).toBe(false);
    await app.close();
    expect(await asking).toMatchObject({ code: 'Closed' });
    expect(signal).toMatchObject({ aborted: true, reason: { code: 'Closed' } });
    signal = undefined;
  });

  test('whoever asks what came of a command is told at once', async () => {
    const silent = changedStore(makeStore(), () => ({ ledger: () => new Promise<never>(() => undefined) }));
    const app = await opened(silent);
    const asked = app.outcome('c').catch((error: unknown) => error);
    await app.close();
    expect(await asked).toMatchObject({ code: 'Closed' });
  });

  test('closing twice is like closing once, and a wrong option closes nothing', async () => {
    const app = await opened(makeStore());
    for (const given of [{ timeout: -1 }, { timeout: 2 ** 31 }, { timeOut: 5 }, 5]) {
      await expect(app.close(given as object)).rejects.toMatchObject({ code: 'InvalidInput' });
    }
    expect((await app.status()).state).toBe('open');
    const closing = app.close({ timeout: 100 });
    expect(app.close()).toBe(closing);
    await closing;
    expect(app.close({ timeout: 1 })).toBe(closing);
    expect((await app.status()).state).toBe('closed');
  });

  test('status() that is asked while it is closed says what was last known', async () => {
    const app = await opened(makeStore());
    await app.execute(put, { item_id: 'a', n: 1 });
    await app.status();
    const asked = app.status();
    const closed = app.close();
    const again = app.status();
    expect(['open', 'closing', 'closed']).toContain((await asked).state);
    expect(await again).toMatchObject({ state: 'closing', position: 1, making: [], reduction: { failed: [] } });
    await closed;
    expect(await app.status()).toMatchObject({ state: 'closed', position: 1, storage: {} });
  });

  test('status() says that the store can’t be reached, if it isn’t closed', async () => {
    let isAway = false;
    const store = changedStore(makeStore(), (session) => ({
      load: async (...given) => {
        if (isAway) throw new StoreUnavailable('away');
        return session.load(...given);
      },
    }));
    const app = await opened(store);
    isAway = true;
    await expect(app.status()).rejects.toMatchObject({ code: 'StoreUnavailable' });
    await app.close();
    expect((await app.status()).state).toBe('closed');
  });
});
