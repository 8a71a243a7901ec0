/** Servers that reduce nothing: their status says how far those are that do, and opening them waits for these, within a bound. */
import { join } from 'node:path';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { opened, settled } from '../support/opened-theatre.ts';
import { keepingLogger, onLocalStores, temporaryFolder } from '../support/stores.ts';
import { filled, place, theatre } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const house = theatre();
const raised = theatre({ definition: 2, counts: 10 });
const byRoom = theatre({ definition: 2, key: '{room_id}/{seat_id}' });
const off = { reduction: 'off', limits: { rebuildingWaitMs: 300 } } as const;

onLocalStores('a server that reduces nothing', (makeStore) => {
  test('says how far behind the log stored documents are, and since when', async () => {
    const store = makeStore();
    const idle = await opened(house, { store, ...off });
    await filled(idle, house, 20);
    expect((await idle.status()).reduction).toMatchObject({ state: 'off', lagEvents: 20, errors: [] });
    await until(async () => (await idle.status()).reduction.lagMs > 20);
    const app = await opened(house, { store });
    await settled(app);
    expect((await idle.status()).reduction).toMatchObject({ state: 'off', lagEvents: 0, lagMs: 0 });
    await app.close();
    await idle.execute(house.put, { events: [{ type: 'BOOKED', ...place(1) }] });
    expect((await idle.status()).reduction).toMatchObject({ lagEvents: 1 });
    expect((await idle.status()).making).toEqual([]);
  });

  test('says that documents have to be made, and when others have made them', async () => {
    const store = makeStore();
    await filled(await opened(house, { store }), house, 20);
    const idle = await opened(raised, { store, ...off });
    const folding = { collection: 'seats', definition: 2, work: 'folding', done: 0, total: 20 };
    expect((await idle.status()).making).toMatchObject([folding]);
    expect((await idle.status()).reduction.lagEvents).toBe(20);
    await opened(raised, { store });
    await until(async () => (await idle.status()).making.length === 0);
    expect((await idle.status()).reduction.lagEvents).toBe(0);
    expect(await idle.count(raised.seats)).toBeGreaterThan(0);
  });

  test.each([
    ['reducers', raised],
    ['key', byRoom],
  ])(
    'opened with definitions before, new %s: waits for another, and says by name if none comes',
    async (_, release) => {
      const store = makeStore();
      await filled(await opened(house, { store }), house, 20);
      await expect(opened(release, { store, ...off, definitions: 'before' })).rejects.toMatchObject({
        code: 'Rebuilding',
        message: expect.stringMatching(/seats.*folding.*reduction: 'off'.*no other server/),
        details: { collection: 'seats', work: 'folding', total: 20 },
      });
      const progress: string[] = [];
      const waiting = opened(release, {
        store,
        reduction: 'off',
        definitions: 'before',
        onProgress: ({ work }) => progress.push(work),
      });
      await until(() => progress.includes('folding'));
      await opened(release, { store });
      const idle = await waiting;
      expect((await idle.status()).making).toEqual([]);
      expect(await idle.count(release.seats)).toBeGreaterThan(0);
    },
  );

  test('that is outdated says so, and names nothing that is made', async () => {
    const store = makeStore();
    const [idle, working] = [await opened(house, { store, ...off }), await opened(house, { store })];
    await filled(idle, house, 20);
    await settled(working);
    const retired = [{ collection: 'seats', definition: 1 }];
    const newer = await opened(raised, { store, definitions: 'before', retired });
    await filled(newer, raised, 1);
    for (const app of [idle, working]) {
      await until(async () => (await app.status()).reduction.errors.length > 0);
      const { making, reduction } = await app.status();
      expect(making).toEqual([]);
      expect(reduction).toMatchObject({ errors: [{ collection: 'seats', code: 'DomainOutdated' }] });
    }
  });
});

test('a server on a log for reading says it too', async () => {
  const file = join(temporaryFolder(), 'theatre.db');
  const writer = await opened(house, { store: sqlite(file), reduction: 'off' });
  await filled(writer, house, 20);
  const reading = { store: sqlite(file, { readOnly: true }), ...house.parts, logger: keepingLogger() };
  await using reader = await open(reading);
  expect((await reader.status()).reduction).toMatchObject({ state: 'off', lagEvents: 20 });
  const limits = { rebuildingWaitMs: 200 };
  await expect(open({ ...reading, definitions: 'before', limits })).rejects.toMatchObject({
    code: 'Rebuilding',
    message: expect.stringContaining('opened for reading'),
  });
  await opened(house, { store: sqlite(file) });
  await using after = await open({ ...reading, definitions: 'before' });
  expect((await after.status()).reduction.lagEvents).toBe(0);
});
