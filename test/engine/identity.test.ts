/** Law 1: a command id has at most one final outcome. */
import { CommandIdReused, open, StoreUnavailable, type Store } from 'tidemark';
import { expect, test } from 'vitest';
import { domain, failure, type } from 'tidemark';
import { buyService, createService, parts, services } from '../support/market.ts';
import { collect, keepingLogger, onEveryStore } from '../support/stores.ts';

onEveryStore('command ids', (makeStore) => {
  test('sent again, a command is answered from the ledger and stores nothing', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 5 });
    const input = { service_id: 's1', buyer_id: 'bob' };
    const first = await app.execute(buyService, input, { id: 'c1' });
    expect(first.replayed).toBe(false);
    for (const server of [app, other]) {
      // The order of fields is no difference.
      const again = await server.execute(buyService, { buyer_id: 'bob', service_id: 's1' }, { id: 'c1' });
      expect(again).toEqual({ ...first, replayed: true });
    }
    expect(await collect(app.events())).toHaveLength(2);
    expect((await app.status()).counters).toMatchObject({ commands: 3, replayed: 1 });
  });

  test('a failure is final too', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const input = { service_id: 's1', buyer_id: 'bob' };
    const first = await app.execute(buyService, input, { id: 'c1' });
    await app.execute(createService, { service_id: 's1' });
    expect(await app.execute(buyService, input, { id: 'c1' })).toEqual({ ...first, replayed: true });
  });

  test('the same id many times at once, on two servers: stored once, answered to all', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 5 });
    const outcomes = await Promise.all(
      [app, other].flatMap((server) =>
        Array.from({ length: 5 }, () =>
          server.execute(buyService, { service_id: 's1', buyer_id: 'bob' }, { id: 'c1' }),
        ),
      ),
    );
    expect(new Set(outcomes.map(({ position }) => position))).toEqual(new Set([2]));
    expect(outcomes.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect((await app.get(services, 's1')).state.quantity).toBe(4);
  });

  test('an id used for another command, input or actor is refused by name, and nothing is recorded', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 5 }, { id: 'c1' });
    await expect(app.execute(createService, { service_id: 's1', quantity: 6 }, { id: 'c1' })).rejects.toThrow(
      CommandIdReused,
    );
    await expect(app.execute(buyService, { service_id: 's1', buyer_id: 'b' }, { id: 'c1' })).rejects.toThrow(
      'CREATE_SERVICE',
    );
    await expect(
      app.execute(createService, { service_id: 's1', quantity: 5 }, { id: 'c1', actor: 'eve' }),
    ).rejects.toThrow(CommandIdReused);
    expect((await app.status()).position).toBe(1);
    // A neighbour in the same batch is none the worse for it.
    const [refused, fine] = await Promise.allSettled([
      app.execute(createService, { service_id: 's2' }, { id: 'c1' }),
      app.execute(createService, { service_id: 's3' }),
    ]);
    expect([refused.status, fine.status]).toEqual(['rejected', 'fulfilled']);
  });

  test('what failed for technical reasons is recorded, and the same id may be tried again', async () => {
    let broken = true;
    const shop = domain({ events: { DONE: type<{ thing_id: string }>() } });
    const things = shop.collection('things', { key: 'thing_id', initial: {}, reduce: { DONE: (thing) => thing } });
    const act = shop.command('ACT', {
      input: type<{ thing_id: string }>(),
      decide: (_, { thing_id }) => {
        if (broken) throw new TypeError('not ready');
        return thing_id === 'no' ? failure('NO') : { type: 'DONE', thing_id };
      },
    });
    const logger = keepingLogger();
    await using app = await open({ store: makeStore(), collections: [things], commands: [act], logger });
    const outcome = await app.execute(act, { thing_id: 't' }, { id: 'c1' });
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: 'ERROR',
      retryable: true,
      details: { name: 'TypeError', message: 'not ready' },
      events: [
        {
          event: { type: '$ERRORED', command: 'ACT', reason: 'ERROR', name: 'TypeError', message: 'not ready' },
          attachments: [],
        },
      ],
    });
    expect(logger.lines).toMatchObject([
      { level: 'error', details: { command: 'ACT', id: 'c1', err: expect.any(TypeError) } },
    ]);
    expect(await app.outcome('c1')).toEqual({ ...outcome, replayed: true });
    broken = false;
    expect(await app.execute(act, { thing_id: 't' }, { id: 'c1' })).toMatchObject({
      status: 'succeeded',
      replayed: false,
      position: 2,
    });
    expect(await app.outcome('c1')).toMatchObject({ status: 'succeeded', position: 2 });
    expect(await app.outcome('never')).toBeUndefined();
  });

  test('prepare: the ledger is asked first, so a command that is sent again calls nobody', async () => {
    let calls = 0;
    const shop = domain({ events: { PAID: type<{ order_id: string; receipt: string; actor: string }>() } });
    const orders = shop.collection('orders', { key: 'order_id', initial: {}, reduce: { PAID: (order) => order } });
    const pay = shop.command('PAY', {
      input: type<{ order_id: string }>(),
      prepare: async ({ order_id }, { id, actor }) => {
        calls += 1;
        if (order_id === 'away') throw new RangeError('the bank is away');
        return `${id}/${actor ?? ''}`;
      },
      decide: (_, input, { prepared, actor }) => ({ type: 'PAID', ...input, receipt: prepared, actor: actor ?? '' }),
    });
    await using app = await open({ store: makeStore(), collections: [orders], commands: [pay] });
    const first = await app.execute(pay, { order_id: 'o1' }, { id: 'c1', actor: 'bob' });
    expect(first.events[0]?.event).toMatchObject({ receipt: 'c1/bob', actor: 'bob' });
    expect((await app.execute(pay, { order_id: 'o1' }, { id: 'c1', actor: 'bob' })).replayed).toBe(true);
    expect(calls).toBe(1);
    await expect(app.execute(pay, { order_id: 'o2' }, { id: 'c1', actor: 'bob' })).rejects.toThrow(CommandIdReused);
    await expect(app.execute(pay, { order_id: 'away' }, { id: 'c2' })).rejects.toThrow(RangeError);
    expect(await app.outcome('c2')).toBeUndefined();
    expect((await app.status()).position).toBe(1);
  });

  test('an append without an answer is sent again with the same ids: stored once', async () => {
    // The commit is lost; then it goes through, but the answer is lost; then the question whether it did.
    const lost = ['before', 'after', 'before'];
    const store = losingAnswers(makeStore(), lost);
    await using app = await open({ store, ...parts });
    const outcomes = await Promise.all([
      app.execute(createService, { service_id: 's1' }, { id: 'c1' }),
      app.execute(createService, { service_id: 's2' }, { id: 'c2' }),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'succeeded', position: 1, replayed: false },
      { status: 'succeeded', position: 2, replayed: false },
    ]);
    await app.execute(createService, { service_id: 's3' }, { id: 'c3' });
    expect(lost).toEqual([]);
    expect(await collect(app.events())).toHaveLength(3);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('what was executed before is a replay, although it is sent once more beside what gets no answer', async () => {
    const lost: string[] = [];
    await using app = await open({ store: losingAnswers(makeStore(), lost), ...parts });
    await app.execute(createService, { service_id: 's', quantity: 3 });
    const buy = (n: number) => app.execute(buyService, { service_id: 's', buyer_id: `b${n}` }, { id: `c${n}` });
    const first = await buy(1);
    // The first is over and done with: the ledger alone knows of it.
    await buy(3);
    lost.push('before', 'after');
    const again = await Promise.all([buy(1), buy(2)]);
    expect(lost).toEqual([]);
    expect(again).toMatchObject([
      { ...first, replayed: true },
      { position: 4, replayed: false },
    ]);
  });

  test('an answer that never comes is StoreUnavailable, and the same id is safe to send again', async () => {
    const lost = ['after', 'before', 'before', 'before', 'before'];
    await using app = await open({ store: losingAnswers(makeStore(), lost), ...parts });
    const create = (): Promise<unknown> => app.execute(createService, { service_id: 's1' }, { id: 'c1' });
    const error: unknown = await create().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(error).toMatchObject({ retryable: true, details: { unknown: true } });
    lost.length = 0;
    expect(await create()).toMatchObject({ status: 'succeeded', replayed: true, position: 1 });
  });
});

/** Loses the append, or the answer to it, as a connection that is cut before or after the commit does. */
function losingAnswers(store: Store, lost: string[]): Store {
  return {
    name: store.name,
    open: async () => {
      const session = await store.open();
      return new Proxy(session, {
        get: (target, name) => {
          if (name === 'append') {
            return async (batch: Parameters<typeof target.append>[0]) => {
              const when = lost.shift();
              const answer = when === 'before' ? undefined : await target.append(batch);
              if (when) throw new StoreUnavailable('The connection was cut.', { unknown: true });
              return answer;
            };
          }
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
}
