/** How commands become batches: bounds, order, contention, and callers that give up. */
import { domain, failure, open, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { expect, test, vi } from 'vitest';
import { buyService, createService, parts, services, viewService } from '../support/market.ts';
import { collect, keepingLogger, onEveryStore } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

const full = (): Error => new Error('the disk of the log is full');

const counter = domain({
  events: {
    ADDED: type<{ counter_id: string; n: number; text?: string }>(),
    LINKED: type<{ counter_id: string; to: string }>(),
  },
});
const counters = counter.collection('counters', {
  key: 'counter_id',
  initial: { sum: 0, to: '' },
  reduce: {
    ADDED: (state, { n }) => ({ ...state, sum: state.sum + n }),
    LINKED: (state, { to }) => ({ ...state, to }),
  },
});
const add = counter.command('ADD', {
  input: type<{ counter_id: string; n: number; text?: string }>(),
  decide: (_, input) => ({ type: 'ADDED', ...input }),
});
const link = counter.command('LINK', {
  input: type<{ counter_id: string; to: string }>(),
  decide: (_, input) => ({ type: 'LINKED', ...input }),
});
/** Reads a document that only another document names, and records what it found. */
const follow = counter.command('FOLLOW', {
  input: type<{ counter_id: string }>(),
  *reads({ counter_id }) {
    const first = yield* counters.ref(counter_id);
    return { second: yield* counters.ref(first.state.to || 'nowhere') };
  },
  decide: ({ second }) => ({ type: 'ADDED', counter_id: second.id, n: second.state.sum }),
});
const counting = { collections: [counters], commands: [add, link, follow] } as const;

onEveryStore('batches', (makeStore) => {
  test('are bounded in commits and in bytes, and nobody is left waiting', async () => {
    for (const limits of [{ batchCommitsMax: 3 }, { batchBytesMax: 3_000 }]) {
      await using app = await open({ store: makeStore(), ...counting, limits: { ...UNHURRIED, ...limits } });
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => app.execute(add, { counter_id: 'c', n: 1, text: 'x'.repeat(1_000 + n) })),
      );
      expect(outcomes.map(({ position }) => position)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
      expect((await app.status()).counters.batches).toBe(7);
      expect((await app.get(counters, 'c')).state.sum).toBe(20);
    }
  });

  test('a document that is first read in the middle of a batch has what came before in it', async () => {
    const store = makeStore();
    {
      await using app = await open({ store, ...counting });
      await app.execute(link, { counter_id: 'a', to: 'b' });
    }
    // Nothing is in the cache, and nobody has asked for b when the batch begins.
    await using app = await open({ store, ...counting, limits: UNHURRIED });
    const outcomes = await Promise.all([
      app.execute(add, { counter_id: 'b', n: 5 }),
      app.execute(link, { counter_id: 'a', to: 'c' }),
      app.execute(add, { counter_id: 'c', n: 7 }),
      app.execute(follow, { counter_id: 'a' }),
      app.execute(follow, { counter_id: 'a' }),
    ]);
    expect((await app.status()).counters.batches).toBe(1);
    expect(outcomes.slice(3).map(({ events }) => events[0]!.event)).toMatchObject([
      { counter_id: 'c', n: 7 },
      { counter_id: 'c', n: 14 },
    ]);
    expect((await app.get(counters, ['b', 'c'])).map(({ state }) => state.sum)).toEqual([5, 28]);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('a server that missed thousands of events of a document takes them all in', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    await app.execute(createService, { service_id: 's1', quantity: 5_000 });
    await app.get(services, 's1');
    await Promise.all(
      Array.from({ length: 2_500 }, (_, n) => other.execute(buyService, { service_id: 's1', buyer_id: `b${n % 5}` })),
    );
    const outcome = await app.execute(buyService, { service_id: 's1', buyer_id: 'late' });
    expect(outcome.events[0]?.attachments[0]).toEqual({ collection: 'services', id: 's1', version: 2_502 });
    expect((await app.status()).counters).toMatchObject({ conflicts: 1 });
    expect((await app.get(services, 's1')).state.quantity).toBe(2_499);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('a server refused for many documents brings them up to date before it decides again', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: UNHURRIED });
    await using other = await open({ store, ...parts, limits: UNHURRIED });
    const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
    const buyAll = (by: typeof app): Promise<unknown> =>
      Promise.all(ids.map((id) => by.execute(buyService, { service_id: id, buyer_id: 'b' })));
    await Promise.all(ids.map((id) => app.execute(createService, { service_id: id, quantity: 100 })));
    for (let turn = 0; turn < 5; turn += 1) {
      await buyAll(other);
      await buyAll(app);
    }
    expect((await app.status()).counters).toMatchObject({ conflicts: 1, succeeded: 120 });
    expect((await other.status()).counters).toMatchObject({ conflicts: 1, succeeded: 100 });
    expect((await app.verify()).problems).toEqual([]);
  });

  test('the cache is bounded, and what fell out of it is loaded again', async () => {
    await using app = await open({ store: makeStore(), ...counting, limits: { cacheEntriesMax: 10 } });
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 40; n += 1) await app.execute(add, { counter_id: `c${n}`, n: 1 });
      await app.get(counters, 'c0');
    }
    expect((await app.status()).cache).toMatchObject({ documents: expect.any(Number), max: 10 });
    expect((await app.status()).cache.documents).toBeLessThanOrEqual(10);
    expect(
      (
        await app.get(
          counters,
          Array.from({ length: 40 }, (_, n) => `c${n}`),
        )
      ).map(({ state }) => state.sum),
    ).toEqual(Array(40).fill(3));
  });

  test('law 6: a read that was slow does not put an old document in the place of a newer one', async () => {
    const slow = delayed(makeStore());
    await using app = await open({ store: slow.store, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    slow.hold = true;
    const reading = app.get(services, 's1');
    await slow.held;
    slow.hold = false;
    await app.execute(buyService, { service_id: 's1', buyer_id: 'b' });
    slow.release();
    expect((await reading).version).toBe(1);
    await app.execute(buyService, { service_id: 's1', buyer_id: 'c' });
    expect((await app.status()).counters.conflicts).toBe(0);
  });

  test('a caller that gave up no longer counts, and leaves nothing at its signal', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: { queueCommandsMax: 5 } });
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const waiting = Array.from({ length: 20 }, (_, n) =>
      app.execute(createService, { service_id: `s${n}` }, { signal }),
    );
    const settled = Promise.allSettled(waiting);
    await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    controller.abort(new Error('enough'));
    const fine = app.execute(createService, { service_id: 'mine' });
    const reasons = (await settled).map((result) =>
      result.status === 'rejected' ? (result.reason as Error).message : 'stored',
    );
    expect(reasons.filter((reason) => reason === 'enough')).toHaveLength(5);
    expect(reasons.filter((reason) => reason.includes('5 commands are waiting already'))).toHaveLength(15);
    expect((await fine).status).toBe('succeeded');
    // One listener for all five.
    expect(added.mock.calls.length).toBe(1);
    expect(removed.mock.calls.length).toBe(1);
    expect((await app.status()).position).toBe(1);
  });

  test('triesMax beyond any count still ends under the write lock, not in contention', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts, limits: { triesMax: 1_000 } });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 10_000 });
    const results = await Promise.all(
      [app, other].map(async (server) => {
        const mine = [];
        for (let n = 0; n < 150; n += 1)
          mine.push((await server.execute(buyService, { service_id: 's1', buyer_id: 'b' })).status);
        return mine;
      }),
    );
    expect(new Set(results.flat())).toEqual(new Set(['succeeded']));
  });

  test('time in a decision is never before the newest time in the log', async () => {
    const store = makeStore({ clock: () => 1_000 });
    const clocked = domain({ events: { SEEN: type<{ thing_id: string; at: number }>() } });
    const things = clocked.collection('things', {
      key: 'thing_id',
      initial: { at: 0 },
      reduce: { SEEN: (_, { at }, { time }) => ({ at: at === time ? at : -1 }) },
    });
    const see = clocked.command('SEE', {
      input: type<{ thing_id: string }>(),
      decide: (_, input, { time }) => ({ type: 'SEEN', ...input, at: time }),
    });
    await using ahead = await open({ store, collections: [things], commands: [see], clock: () => 5_000 });
    await using behind = await open({ store, collections: [things], commands: [see] });
    await ahead.execute(see, { thing_id: 'a' });
    await behind.get(things, 'a');
    const { events } = await behind.execute(see, { thing_id: 'a' });
    expect(events[0]).toMatchObject({ time: 5_000, recordedAt: 5_000, event: { at: 5_000 } });
    expect((await ahead.get(things, 'a')).state.at).toBe(5_000);
  });

  test.each([
    [
      'throws',
      () => {
        throw full();
      },
    ],
    ['rejects', async () => Promise.reject(full())],
  ])('a logger that %s takes nobody down', async (_, error) => {
    const logger = keepingLogger();
    const broken = counter.command(`BROKEN_${Math.random()}`, {
      input: type<object>(),
      decide: () => {
        throw new Error('x');
      },
    });
    const throwing = { ...logger, error };
    await using app = await open({
      store: makeStore(),
      collections: [counters],
      commands: [broken, add],
      logger: throwing,
    });
    const outcomes = await Promise.all([app.execute(broken, {}), app.execute(add, { counter_id: 'c', n: 1 })]);
    expect(outcomes.map(({ status }) => status)).toEqual(['failed', 'succeeded']);
  });

  test('without a logger warnings and errors go to the console', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    try {
      const broken = counter.command(`BROKEN_${Math.random()}`, {
        input: type<object>(),
        decide: () => {
          throw new Error('x');
        },
      });
      await using app = await open({ store: makeStore(), collections: [counters], commands: [broken] });
      await app.execute(broken, {});
      expect(said.mock.calls).toMatchObject([[expect.stringContaining('went wrong'), { err: expect.any(Error) }]]);
    } finally {
      said.mockRestore();
    }
  });

  test('close: prepare is told, what was accepted is stored, what was not is Closed', async () => {
    const told: unknown[] = [];
    let begun = 0;
    const slow = counter.command(`SLOW_${Math.random()}`, {
      input: type<{ counter_id: string }>(),
      prepare: (_, { signal }) => {
        begun += 1;
        signal.addEventListener('abort', () => void told.push(signal.reason));
        return new Promise<never>(() => undefined);
      },
      decide: (_, { counter_id }) => ({ type: 'ADDED', counter_id, n: 1 }),
    });
    const store = makeStore();
    const app = await open({ store, collections: [counters], commands: [slow, add] });
    const preparing = app.execute(slow, { counter_id: 'c' });
    const controller = new AbortController();
    const givenUp = app.execute(slow, { counter_id: 'c' }, { signal: controller.signal });
    await vi.waitFor(() => expect(begun).toBe(2));
    controller.abort(new Error('enough'));
    await expect(givenUp).rejects.toThrow('enough');
    const accepted = app.execute(add, { counter_id: 'c', n: 1 });
    const refused = preparing.catch((error: unknown) => error);
    await app.close();
    expect(await refused).toMatchObject({ code: 'Closed' });
    expect(told).toMatchObject([{ message: 'enough' }, { code: 'Closed' }]);
    expect((await accepted).status).toBe('succeeded');
    await using again = await open({ store, collections: [counters], commands: [add] });
    expect(await collect(again.events())).toHaveLength(1);
  });
});

test('viewing and failing need no document', async () => {
  await using app = await open({ store: memory(), ...parts });
  expect((await app.execute(viewService, { service_id: 's' })).status).toBe('succeeded');
  expect(failure('X')).toEqual({ failure: 'X', details: {} });
});

/** A store whose reads can be held back after they were made. */
function delayed(store: Store): { store: Store; hold: boolean; held: Promise<void>; release: () => void } {
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const control = {
    hold: false,
    held: held.promise,
    release: () => gate.resolve(),
    store: {
      name: store.name,
      open: async () => {
        const session = await store.open();
        return new Proxy(session, {
          get: (target, name) => {
            const value: unknown = Reflect.get(target, name, target);
            if (name === 'load') {
              return async (...args: Parameters<typeof target.load>) => {
                const { hold } = control;
                const loaded = await target.load(...args);
                if (hold) held.resolve();
                if (hold) await gate.promise;
                return loaded;
              };
            }
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        });
      },
    },
  };
  return control;
}
