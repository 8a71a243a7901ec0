/**
 * Lesson 29: names are not what a log is. Schemas and databases are renamed, swapped, restored and made anew under servers
 * that run on; whatever comes of it, nothing of one log is told or stored as another's.
 */
import { open, type App, type Store } from 'tidemark';
import { postgres, renamed } from 'tidemark/postgres';
import { beforeEach, describe, expect, test } from 'vitest';
import { buyService, createService, parts, services } from '../../support/market.ts';
import { testDatabase, waitsFor, withDatabases } from '../../support/postgres.ts';
import { collect } from '../../support/stores.ts';
import { until } from '../../support/until.ts';

type Market = App<(typeof parts.commands)[number], (typeof parts.collections)[number]>;

const database = testDatabase();
const wrongLog = expect.objectContaining({ code: 'WrongLog', retryable: false });
let names = 0;
/** The names of the story. */
let shop = '';
let old = '';
beforeEach(() => {
  names += 1;
  [shop, old] = [`shop_${names}`, `shop_${names}_old`];
});

const at = (schema: string, url = database.url): Store => postgres(url, { schema });
const opening = (schema: string, url?: string): Promise<Market> => open({ store: at(schema, url), ...parts });

/** A log with one service, which is told from all others by its title's quantity. */
async function withService(schema: string, quantity: number, url?: string): Promise<Market> {
  const app = await opening(schema, url);
  await app.execute(createService, { service_id: 's1', quantity }, { id: 'create' });
  return app;
}

/** Everything that can be asked, by name. */
const ASKED: Readonly<Record<string, (app: Market) => Promise<unknown>>> = {
  get: (app) => app.get(services, 's1'),
  getMany: (app) => app.get(services, ['s1', 's2']),
  getAtPosition: (app) => app.get(services, 's1', { position: 1 }),
  getAtTime: (app) => app.get(services, 's1', { time: Date.now() }),
  events: (app) => collect(app.events()),
  reversed: (app) => collect(app.events({ reverse: true })),
  ofTypes: (app) => collect(app.events({ types: ['SERVICE_CREATED'] })),
  follow: (app) => collect(app.events({ follow: true, after: 1 })),
  history: (app) => collect(app.history(services, 's1')),
  outcome: (app) => app.outcome('create'),
  fold: (app) => app.fold(services),
  verify: (app) => app.verify(),
  status: (app) => app.status(),
  execute: (app) => app.execute(buyService, { service_id: 's1', buyer_id: 'b1' }),
  executeBlind: (app) => app.execute(createService, { service_id: 'new' }),
};

async function allAreRefused(app: Market): Promise<void> {
  const told: Record<string, unknown> = {};
  for (const [name, ask] of Object.entries(ASKED)) told[name] = await ask(app).catch((error: unknown) => error);
  expect(told).toEqual(Object.fromEntries(Object.keys(ASKED).map((name) => [name, wrongLog])));
}

/** What the log in a schema holds, by plain SQL. */
const eventsIn = async (schema: string): Promise<string[]> =>
  (await database.run<{ json: string }>(`SELECT json FROM ${schema}.events ORDER BY position`)).map(({ json }) => json);

async function isWhole(app: Market, quantity: number): Promise<void> {
  expect((await app.get(services, 's1')).state.quantity).toBe(quantity);
  expect((await app.verify()).problems).toEqual([]);
  expect((await app.outcome('create'))?.events[0]?.event).toMatchObject({ quantity });
}

describe('a schema that is renamed, and a new log in its place', () => {
  test('lesson 29: running servers store nothing and are told nothing of the other log; both can be opened where they are', async () => {
    await using before = await withService(shop, 1);
    await database.run(`ALTER SCHEMA ${shop} RENAME TO ${old}`);
    await using after = await withService(shop, 2);
    const held = await Promise.all([eventsIn(shop), eventsIn(old)]);

    await allAreRefused(before);
    await expect(opening(old)).rejects.toEqual(
      expect.objectContaining({
        code: 'WrongLog',
        message: expect.stringMatching(`ALTER SCHEMA ${old} RENAME TO ${shop}.*renamed\\('${old}'\\)`),
        details: expect.objectContaining({ schema: old, madeIn: shop }),
      }),
    );
    expect(await Promise.all([eventsIn(shop), eventsIn(old)])).toEqual(held);
    await isWhole(after, 2);

    await database.run(renamed(old));
    await using there = await opening(old);
    await isWhole(there, 1);
    await there.execute(buyService, { service_id: 's1', buyer_id: 'b1' });
    expect(await eventsIn(shop)).toEqual(held[0]);
    await allAreRefused(before);
  });

  test('a server that runs goes on once the schema has its name again', async () => {
    await using app = await withService(shop, 1);
    await database.run(`ALTER SCHEMA ${shop} RENAME TO ${old}`);
    await allAreRefused(app);
    await database.run(`ALTER SCHEMA ${old} RENAME TO ${shop}`);
    await isWhole(app, 1);
    await app.execute(buyService, { service_id: 's1', buyer_id: 'b1' });
  });

  test('renamed while an append waits for the lock: what it had begun in one log isn’t ended in the other', async () => {
    await using before = await withService(shop, 1);
    const holding = await at(shop).open();
    const [entered, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const section = holding.exclusive(() => {
      entered.resolve();
      return held.promise;
    });
    await entered.promise;
    const waiting = before.execute(createService, { service_id: 'late' }).catch((error: unknown) => error);
    await until(async () => {
      const [row] = await database.run<{ waiting: string }>(`SELECT count(*) AS waiting ${waitsFor('write_lock')}`);
      return row?.waiting === '1';
    });
    await database.run(`ALTER SCHEMA ${shop} RENAME TO ${old}`);
    await using after = await withService(shop, 2);
    held.resolve();
    // It has stored nothing.
    await section;
    expect(await waiting).toEqual(wrongLog);
    expect(await eventsIn(old)).toHaveLength(1);
    expect(await eventsIn(shop)).toHaveLength(1);
    await isWhole(after, 2);
    await holding.close();
  });
});

test('lesson 29: two logs that are swapped', async () => {
  const [one, other, aside] = [shop, old, `${shop}_aside`];
  await using first = await withService(one, 1);
  await using second = await withService(other, 2);
  await database.run(
    `ALTER SCHEMA ${one} RENAME TO ${aside}; ALTER SCHEMA ${other} RENAME TO ${one}; ALTER SCHEMA ${aside} RENAME TO ${other}`,
  );
  for (const app of [first, second]) await allAreRefused(app);
  for (const schema of [one, other]) await expect(opening(schema)).rejects.toEqual(wrongLog);
  for (const schema of [one, other]) await database.run(renamed(schema));
  for (const app of [first, second]) await allAreRefused(app);
  await using there = await opening(other);
  await isWhole(there, 1);
  await using here = await opening(one);
  await isWhole(here, 2);
});

test('one that is dropped and made anew under a server that runs', async () => {
  await using app = await withService(shop, 1);
  await database.run(`DROP SCHEMA ${shop} CASCADE`);
  await allAreRefused(app);
  await database.run(`CREATE SCHEMA ${shop}`);
  await allAreRefused(app);
  await using anew = await opening(shop);
  // Empty, and then with as many events as the old one had.
  await allAreRefused(app);
  await anew.execute(createService, { service_id: 's1', quantity: 2 }, { id: 'create' });
  await allAreRefused(app);
  expect(await eventsIn(shop)).toHaveLength(1);
  await isWhole(anew, 2);
});

test('something else in its place', async () => {
  await using app = await withService(shop, 1);
  await database.run(
    `ALTER SCHEMA ${shop} RENAME TO ${old}; CREATE SCHEMA ${shop}; CREATE TABLE ${shop}.events (id int)`,
  );
  await expect(app.get(services, 's1')).rejects.toEqual(expect.objectContaining({ code: 'NotALog' }));
  await database.run(`DROP SCHEMA ${shop} CASCADE; ALTER SCHEMA ${old} RENAME TO ${shop}`);
  await isWhole(app, 1);
});

test('a log that is restored under another name knows where it was made', async () => {
  await withDatabases(async (make) => {
    const original = await make();
    await (await withService(shop, 1, original.url)).close();
    // As dump and restore would: the same log in another place.
    const restored = await make(original.name);
    await restored.run(`ALTER SCHEMA ${shop} RENAME TO ${old}`);
    await expect(opening(old, restored.url)).rejects.toEqual(wrongLog);
    await restored.run(renamed(old));
    await using there = await opening(old, restored.url);
    await isWhole(there, 1);
    await using here = await opening(shop, original.url);
    await isWhole(here, 1);
  });
});

test('two databases that are swapped under a server that runs', async () => {
  await withDatabases(async (make) => {
    const [one, other] = [await make(), await make()];
    await using app = await withService(shop, 1, one.url);
    await (await withService(shop, 2, other.url)).close();
    const aside = `${one.name}_aside`;
    for (const { name } of [one, other]) {
      await database.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    }
    for (const [from, to] of [
      [one.name, aside],
      [other.name, one.name],
      [aside, other.name],
    ] as const) {
      await until(async () => {
        await database.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${from}'`);
        return database.run(`ALTER DATABASE ${from} RENAME TO ${to}`).then(
          () => true,
          () => false,
        );
      });
    }
    await allAreRefused(app);
    await using here = await opening(shop, one.url);
    await isWhole(here, 2);
  });
});
