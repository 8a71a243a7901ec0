import { open } from 'tidemark';
import { expect, test } from 'vitest';
import { buyService, createService, parts, services, users, viewService } from '../support/market.ts';
import { collect, onEveryStore } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

onEveryStore('execute', (makeStore) => {
  test('law 1: a command that succeeds leaves its event, attached to all it concerns', async () => {
    await using app = await open({ store: makeStore({ clock: () => 1_000 }), ...parts });
    await app.execute(createService, { service_id: 's1' });
    const outcome = await app.execute(
      buyService,
      { service_id: 's1', buyer_id: 'bob' },
      { id: 'checkout-81', actor: 'bob@web', correlation: 'cart-7', causation: 'click-9' },
    );
    expect(outcome).toEqual({
      status: 'succeeded',
      position: 2,
      replayed: false,
      recorded: true,
      events: [
        {
          event: { type: 'SERVICE_BOUGHT', service_id: 's1', buyer_id: 'bob', seller_id: 'ann', price: 5 },
          position: 2,
          time: 1_000,
          recordedAt: 1_000,
          attachments: [
            { collection: 'services', id: 's1', version: 2 },
            { collection: 'users', id: 'bob', version: 1 },
            { collection: 'users', id: 'ann', version: 2 },
          ],
          hash: (await app.status()).hash,
          command: {
            id: 'checkout-81',
            name: 'BUY_SERVICE',
            actor: 'bob@web',
            correlation: 'cart-7',
            causation: 'click-9',
          },
        },
      ],
    });
    expect(await app.outcome('checkout-81')).toEqual({ ...outcome, replayed: true });
    expect(await collect(app.events({ after: 1 }))).toEqual(outcome.events);
  });

  test('law 1: a command that fails leaves an event too, with the ids of its input', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const outcome = await app.execute(buyService, { service_id: 'nowhere', buyer_id: 'bob' });
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: 'UNKNOWN_SERVICE',
      details: {},
      retryable: false,
      position: 1,
    });
    expect(outcome.events[0]).toMatchObject({
      event: {
        type: 'BUY_SERVICE_FAILED',
        reason: 'UNKNOWN_SERVICE',
        details: {},
        service_id: 'nowhere',
        buyer_id: 'bob',
      },
      attachments: [
        { collection: 'services', id: 'nowhere', version: 1 },
        { collection: 'users', id: 'bob', version: 1 },
      ],
    });
  });

  test('lesson 21: a failed command does not create the object it failed on', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(buyService, { service_id: 's9', buyer_id: 'bob' });
    expect(await app.get(services, 's9')).toMatchObject({ version: 1, changed: 0, exists: false });
    expect((await app.execute(createService, { service_id: 's9' })).status).toBe('succeeded');
    expect(await app.get(services, 's9')).toMatchObject({ version: 2, changed: 2, exists: true });
  });

  test('law 4: an event of a type that is not handled counts as a version, and leaves the state', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 3 });
    const before = await app.get(services, 's1');
    await app.execute(viewService, { service_id: 's1' });
    expect(await app.get(services, 's1')).toEqual({ ...before, version: 2 });
  });

  test('commands of one batch are decided on the state their predecessors left', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: UNHURRIED });
    await app.execute(createService, { service_id: 's1', quantity: 3 });
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, n) => app.execute(buyService, { service_id: 's1', buyer_id: `b${n}` })),
    );
    expect(outcomes.filter(({ status }) => status === 'succeeded')).toHaveLength(3);
    expect(outcomes.map(({ position }) => position)).toEqual(Array.from({ length: 50 }, (_, n) => n + 2));
    const { counters } = await app.status();
    expect(counters).toMatchObject({ commands: 51, succeeded: 4, failed: 47, batches: 2, conflicts: 0 });
    expect((await app.get(services, 's1')).state.quantity).toBe(0);
    expect((await app.get(users, 'ann')).state.earned).toBe(15);
  });

  test('law 5: apps that race on one place: exactly one buyer gets it, and the others are told', async () => {
    const store = makeStore();
    await using paris = await open({ store, ...parts });
    await using tokyo = await open({ store, ...parts });
    let conflicts = 0;
    for (let round = 0; round < 20; round += 1) {
      const service_id = `s${round}`;
      await paris.execute(createService, { service_id });
      await Promise.all([paris.get(services, service_id), tokyo.get(services, service_id)]);
      const outcomes = await Promise.all(
        [paris, tokyo].flatMap((app) =>
          Array.from({ length: 5 }, (_, n) => app.execute(buyService, { service_id, buyer_id: `b${n}` })),
        ),
      );
      expect(outcomes.filter(({ status }) => status === 'succeeded')).toHaveLength(1);
      expect(outcomes.filter(({ reason }) => reason === 'SOLD_OUT')).toHaveLength(9);
    }
    for (const app of [paris, tokyo]) conflicts += (await app.status()).counters.conflicts;
    // A race in which the racers took turns would prove nothing.
    expect(conflicts).toBeGreaterThan(0);
    expect((await paris.verify()).problems).toEqual([]);
    expect((await paris.get(users, 'ann')).state.earned).toBe(100);
  });

  test('law 5: merely being attached is no conflict', async () => {
    const store = makeStore();
    await using one = await open({ store, ...parts });
    await using two = await open({ store, ...parts });
    await one.execute(createService, { service_id: 's1', quantity: 1_000 });
    await Promise.all([one.get(services, 's1'), two.get(services, 's1')]);
    // Two views between read and append, and sales by one seller at once: neither is stale ground.
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => [
        one.execute(buyService, { service_id: 's1', buyer_id: `b${n}` }),
        two.execute(viewService, { service_id: 's1' }),
      ]).flat(),
    );
    expect((await one.status()).counters.conflicts).toBe(0);
    expect(await one.get(services, 's1')).toMatchObject({ version: 201, state: { quantity: 900 } });
    expect(await two.get(services, 's1')).toMatchObject({ version: 201, state: { quantity: 900 } });
    expect((await two.verify()).ok).toBe(true);
  });

  test('nobody starves: a document that others change all the time is decided under the write lock', async () => {
    const store = makeStore();
    const apps = await Promise.all([1, 2, 3, 4].map(() => open({ store, ...parts, limits: { triesMax: 2 } })));
    await apps[0]!.execute(createService, { service_id: 's1', quantity: 1_000 });
    const outcomes = await Promise.all(
      apps.map(async (app, server) => {
        const mine = [];
        for (let n = 0; n < 100; n += 1)
          mine.push(await app.execute(buyService, { service_id: 's1', buyer_id: `b${server}` }));
        return mine;
      }),
    );
    expect(outcomes.flat().every(({ status }) => status === 'succeeded')).toBe(true);
    expect((await apps[0]!.get(services, 's1')).state.quantity).toBe(600);
    const counters = await Promise.all(apps.map(async (app) => (await app.status()).counters));
    expect(counters.reduce((sum, { exclusive }) => sum + exclusive, 0)).toBeGreaterThan(0);
    expect((await apps[1]!.verify()).problems).toEqual([]);
    await Promise.all(apps.map((app) => app.close()));
  });
});
