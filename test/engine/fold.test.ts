/** Folding whole collections again, from event 1. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogCorrupt, ReducerFailed, UnknownCollection, domain, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, test } from 'vitest';
import { buyService, createService, parts, services, users } from '../support/market.ts';
import { onEveryStore, temporaryFolder } from '../support/stores.ts';
import { changedStore } from '../faults/over-session.ts';

onEveryStore('fold', (makeStore) => {
  test('law 4: every document, as get gives it, of one collection or of several in one pass', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    for (let n = 0; n < 30; n += 1) {
      await app.execute(createService, { service_id: `s${n % 10}` });
      await app.execute(buyService, { service_id: `s${n % 7}`, buyer_id: `b${n % 3}` });
    }
    const [foundServices, foundUsers] = await app.fold([services, users]);
    expect(foundServices.size).toBe(10);
    expect(foundUsers.size).toBeGreaterThan(2);
    for (const [id, document] of foundServices) expect(document).toStrictEqual(await app.get(services, id));
    for (const [id, document] of foundUsers) expect(document).toStrictEqual(await app.get(users, id));
    expect(await app.fold(services)).toStrictEqual(foundServices);
    expect(await app.fold([services, users, services])).toStrictEqual([foundServices, foundUsers, foundServices]);
  });

  test('is of one point, though others write meanwhile', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's' });
    const folding = app.fold([services, users]);
    const writing = Promise.all(
      Array.from({ length: 50 }, (_, n) => other.execute(buyService, { service_id: 's', buyer_id: `b${n}` })),
    );
    const [foundServices, foundUsers] = await folding;
    await writing;
    // Each sale is one version of the service, and one buyer.
    const { version } = foundServices.get('s')!;
    expect([...foundUsers.keys()].filter((id) => id.startsWith('b')).length).toBe(version - 1);
  });

  test('is of one point, also where the log grows between two pages', async () => {
    let page = 0;
    const store = changedStore(makeStore(), (session) => ({
      scan: async (range) => {
        page += 1;
        if (page === 2) await app.execute(buyService, { service_id: 's', buyer_id: 'late' });
        return session.scan(range);
      },
    }));
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's', quantity: 5_000 });
    const buyers = Array.from({ length: 2_500 }, (_, n) => `b${n}`);
    await Promise.all(buyers.map((buyer_id) => app.execute(buyService, { service_id: 's', buyer_id })));
    const [foundServices, foundUsers] = await app.fold([services, users]);
    expect(page).toBeGreaterThan(2);
    expect(foundServices.get('s')!.version).toBe(2_501);
    expect(foundUsers.has('late')).toBe(false);
    expect((await app.fold(services)).get('s')!.version).toBe(2_502);
  });

  test('at time 0, and of a collection asked for through a hole', async () => {
    await using app = await open({ store: makeStore(), ...parts, clock: () => 0 });
    await app.execute(createService, { service_id: 's' });
    expect((await app.fold(services)).get('s')!.version).toBe(1);
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    await expect(app.fold([, services] as never)).rejects.toThrow(UnknownCollection);
  });

  test('of an empty log there is nothing; of a collection that was not given to open, an error', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    expect((await app.fold(users)).size).toBe(0);
    const stranger = domain({ events: { X: type<{ x_id: string }>() } }).collection('xs', {
      key: 'x_id',
      initial: {},
      reduce: {},
    });
    await expect(app.fold(stranger as never)).rejects.toThrow(UnknownCollection);
    await app.close();
    await expect(app.fold(users)).rejects.toMatchObject({ code: 'Closed' });
  });
});

const shape = (fails: boolean) => {
  const lab = domain({ events: { HAPPENED: type<{ thing_id: string; n: number }>() } });
  const things = lab.collection('things', {
    key: 'thing_id',
    initial: { n: 0 },
    reduce: {
      HAPPENED: (_, { n }) => {
        if (fails && n === 2) throw new RangeError('two');
        return { n };
      },
    },
  });
  const happen = lab.command('HAPPEN', {
    input: type<{ thing_id: string; n: number }>(),
    decide: (_, input) => ({ type: 'HAPPENED', ...input }),
  });
  return { collections: [things], commands: [happen] } as const;
};

describe('fold of what is broken', () => {
  const folder = temporaryFolder();

  test('an event that is missing is damage, with the position', async () => {
    const file = join(folder, 'missing.db');
    await using app = await open({ store: sqlite(file), ...parts });
    for (const n of [1, 2, 3]) await app.execute(createService, { service_id: `s${n}` });
    const database = new DatabaseSync(file);
    database.exec('DELETE FROM events WHERE position = 2');
    database.close();
    const error: unknown = await app.fold(services).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogCorrupt);
    expect(error).toMatchObject({ details: { position: 2 } });
  });

  test('a reducer that fails is named, with the document', async () => {
    const store = memory();
    const sound = shape(false);
    await using app = await open({ store, ...sound });
    for (const n of [1, 2]) await app.execute(sound.commands[0], { thing_id: 't', n });
    const broken = shape(true);
    await using later = await open({ store, ...broken });
    const error: unknown = await later.fold(broken.collections[0]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ReducerFailed);
    expect(error).toMatchObject({ details: { collection: 'things', id: 't', version: 2 } });
  });

  test('law 4: versions with a gap are damage, with the position', async () => {
    const store = changedStore(memory(), (session) => ({
      scan: async (range) => {
        const page = await session.scan(range);
        return {
          ...page,
          events: page.events.with(1, { ...page.events[1]!, attachments: [] }),
        };
      },
    }));
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's' });
    for (const buyer_id of ['b1', 'b2']) await app.execute(buyService, { service_id: 's', buyer_id });
    const error: unknown = await app.fold(services).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogCorrupt);
    expect(error).toMatchObject({ details: { id: 's', position: 3 } });
  });
});
