/** Law 9: what is changed, removed or reordered behind the engine's back is found, and its place is named. */
import { copyFileSync, rmSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { domain, HistoryDiverged, open, type, type App, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, test } from 'vitest';
import { buyService, createService, parts, services, users, viewService } from '../support/market.ts';
import { keepingLogger, onEveryStore, temporaryFolder } from '../support/stores.ts';

/** Ten services, thirty sales, a few failures. */
async function fill(app: App<(typeof parts.commands)[number]>, prefix = ''): Promise<void> {
  for (let n = 0; n < 10; n += 1) await app.execute(createService, { service_id: `${prefix}s${n}`, quantity: 3 });
  for (let n = 0; n < 40; n += 1)
    await app.execute(buyService, { service_id: `${prefix}s${n % 10}`, buyer_id: `b${n % 7}` });
  await app.execute(viewService, { service_id: `${prefix}s1` });
}

onEveryStore('verify', (makeStore) => {
  test('a sound log: everything is counted, and every document folded and compared', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    expect(await app.verify()).toMatchObject({
      ok: true,
      position: 0,
      commits: 0,
      events: 0,
      documents: 0,
      problems: [],
    });
    await fill(app);
    const { position, hash } = await app.status();
    expect(await app.verify({ expect: { position, hash } })).toEqual({
      ok: true,
      position: 51,
      hash,
      commits: 51,
      events: 51,
      documents: 18,
      compared: 18,
      problems: [],
    });
  });

  test('while others write, it is about the log as it was at the beginning', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await fill(app);
    const writing = { on: true };
    const writer = (async () => {
      for (let n = 0; writing.on; n += 1) await other.execute(createService, { service_id: `more${n}` });
    })();
    for (let n = 0; n < 5; n += 1) {
      const { ok, problems, events, position } = await app.verify();
      expect({ ok, problems }).toEqual({ ok: true, problems: [] });
      expect(events).toBe(position);
    }
    writing.on = false;
    await writer;
  });

  test('a point that the log does not hold', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await fill(app);
    const { position, hash } = await app.status();
    for (const expected of [
      { position: position + 1, hash },
      { position: position - 1, hash },
      { position, hash: 'a'.repeat(64) },
    ]) {
      const { ok, problems } = await app.verify({ expect: expected });
      expect(ok).toBe(false);
      expect(problems).toMatchObject([{ code: 'HistoryDiverged', position: expected.position }]);
    }
    expect((await app.verify({ expect: { position: 0, hash: '0'.repeat(64) } })).ok).toBe(true);
  });

  test('a reducer that is not pure shows: what is in memory is not what the events fold to', async () => {
    let calls = 0;
    const impure = domain({ events: { HAPPENED: type<{ thing_id: string }>() } });
    const things = impure.collection('things', {
      key: 'thing_id',
      initial: { n: 0 },
      reduce: { HAPPENED: () => ({ n: (calls += 1) }) },
    });
    const happen = impure.command('HAPPEN', {
      input: type<{ thing_id: string }>(),
      decide: (_, input) => ({ type: 'HAPPENED', ...input }),
    });
    await using app = await open({ store: makeStore(), collections: [things], commands: [happen] });
    await app.execute(happen, { thing_id: 't' });
    expect((await app.verify()).problems).toMatchObject([{ code: 'Document', collection: 'things', id: 't' }]);
  });
});

describe('verify after tampering (sqlite)', () => {
  const folder = temporaryFolder();
  let files = 0;

  test.each([
    [
      'a changed fact',
      'UPDATE events SET json = replace(json, \'"price":5\', \'"price":6\') WHERE position = 20',
      'Chain',
      20,
    ],
    [
      'a changed type',
      'UPDATE events SET type = (SELECT type FROM events WHERE position = 51) WHERE position = 20',
      'Chain',
      20,
    ],
    ['a changed outcome', 'UPDATE commits SET outcome = 1 - outcome WHERE position = 30', 'Chain', 30],
    ['a changed reason', "UPDATE commits SET reason = 'BORED' WHERE position = 45", 'Chain', 45],
    ['a changed actor', "UPDATE commits SET actor = 'eve' WHERE position = 12", 'Chain', 12],
    ['a changed time', 'UPDATE commits SET recorded_at = recorded_at + 1 WHERE position = 51', 'Chain', 51],
    ['a changed hash', 'UPDATE commits SET hash = randomblob(32) WHERE position = 40', 'Chain', 40],
    ['a removed event', 'DELETE FROM events WHERE position = 20', 'Chain', 20],
    ['a removed commit', 'DELETE FROM commits WHERE position = 20', 'Chain', 20],
    ['a removed attachment', 'DELETE FROM attachments WHERE position = 20', 'Document', undefined],
    [
      'an attachment to another event',
      'UPDATE attachments SET position = 21 WHERE position = 20 AND version = (SELECT max(version) FROM attachments WHERE position = 20)',
      'Attachments',
      21,
    ],
    [
      'an inline list of another document',
      'UPDATE events SET attachments = (SELECT attachments FROM events WHERE position = 21) WHERE position = 20',
      'Attachments',
      20,
    ],
    ['a text that is no JSON', "UPDATE events SET json = 'x' WHERE position = 20", 'Chain', 20],
  ])('%s', async (_, sql, code, position) => {
    const file = join(folder, `${(files += 1)}.db`);
    {
      await using app = await open({ store: sqlite(file), ...parts });
      await fill(app);
    }
    const database = new DatabaseSync(file);
    expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
    database.close();
    await using app = await open({ store: sqlite(file), ...parts, logger: keepingLogger() });
    const { ok, problems } = await app.verify();
    expect(ok).toBe(false);
    expect(problems).toContainEqual(expect.objectContaining({ code, ...(position !== undefined && { position }) }));
  });
});

/** A store that can be switched to another one which lags behind, under a server that runs. */
async function failingOver(): Promise<{ lagging: Store; store: Store; failOver: () => void }> {
  const lagging = memory();
  const behind = await lagging.open();
  let session = await memory().open();
  const open = async (): Promise<typeof session> =>
    new Proxy(session, {
      get: (_, name) => {
        const value: unknown = Reflect.get(session, name, session);
        return typeof value === 'function' ? (value.bind(session) as unknown) : value;
      },
    });
  return { lagging, store: { name: 'failing over', open }, failOver: () => void (session = behind) };
}

describe('a store that went back in time', () => {
  const folder = temporaryFolder();

  test('an older copy put in its place between two runs of one server’s neighbours: HistoryDiverged', async () => {
    const file = join(folder, 'copied.db');
    const kept = await (async () => {
      await using app = await open({ store: sqlite(file), ...parts });
      await fill(app);
      return { position: (await app.status()).position, hash: (await app.status()).hash };
    })();
    const copy = join(folder, 'older.db');
    copyFileSync(file, copy);
    const later = await (async () => {
      await using app = await open({ store: sqlite(file), ...parts });
      await fill(app, 'more-');
      return { position: (await app.status()).position, hash: (await app.status()).hash };
    })();
    for (const suffix of ['', '-wal', '-shm']) if (existsSync(file + suffix)) rmSync(file + suffix);
    copyFileSync(copy, file);
    await using app = await open({ store: sqlite(file), ...parts });
    // Who didn't see more can't know; who kept a point elsewhere can.
    expect((await app.verify()).ok).toBe(true);
    expect((await app.verify({ expect: kept })).ok).toBe(true);
    expect((await app.verify({ expect: later })).problems).toMatchObject([{ code: 'HistoryDiverged' }]);
  });

  test('a server that has seen more refuses to read or decide on it', async () => {
    const { lagging, store, failOver } = await failingOver();
    await using other = await open({ store: lagging, ...parts, clock: () => 1 });
    await other.execute(createService, { service_id: 's0' }, { id: 'a' });
    const app = await open({ store, ...parts, clock: () => 1 });
    await app.execute(createService, { service_id: 's0' }, { id: 'a' });
    await app.execute(createService, { service_id: 's1' }, { id: 'b' });
    failOver();
    await expect(app.execute(buyService, { service_id: 's1', buyer_id: 'b' })).rejects.toThrow(HistoryDiverged);
    await expect(app.get(users, 'b')).rejects.toThrow(HistoryDiverged);
    await expect(app.execute(viewService, { service_id: 's1' })).rejects.toThrow(HistoryDiverged);
    expect((await app.status()).state).toBe('diverged');
    expect((await other.status()).position).toBe(1);
    await app.close();
  });

  test('the ledger’s silence proves nothing there: nobody is told that a command was never executed', async () => {
    const { lagging, store, failOver } = await failingOver();
    let prepared = 0;
    const bank = domain({ events: { PAID: type<{ order_id: string }>() } });
    const orders = bank.collection('orders', { key: 'order_id', initial: {}, reduce: { PAID: (order) => order } });
    const pay = bank.command('PAY', {
      input: type<{ order_id: string }>(),
      prepare: () => (prepared += 1),
      decide: (_, input) => ({ type: 'PAID', ...input }),
    });
    const bankParts = { collections: [orders], commands: [pay] };
    await using other = await open({ store: lagging, ...bankParts });
    await using app = await open({ store, ...bankParts });
    await app.execute(pay, { order_id: 'o' }, { id: 'c1' });
    failOver();
    await expect(app.execute(pay, { order_id: 'o' }, { id: 'c1' })).rejects.toThrow(HistoryDiverged);
    expect(prepared).toBe(1);
    await expect(app.outcome('c1')).rejects.toThrow(HistoryDiverged);
    await expect(app.get(orders, 'o', { position: 1 })).rejects.toThrow(HistoryDiverged);
    expect((await other.status()).position).toBe(0);
    // Growing past it doesn't heal it: from then on nothing is read or decided here.
    await other.execute(pay, { order_id: 'x' });
    await other.execute(pay, { order_id: 'y' });
    await expect(app.get(orders, 'o')).rejects.toThrow(HistoryDiverged);
  });

  test('a log that is as long, or longer, but another one: its hash tells', async () => {
    for (const grow of [1, 2]) {
      const { lagging, store, failOver } = await failingOver();
      await using other = await open({ store: lagging, ...parts });
      await using app = await open({ store, ...parts });
      await app.execute(createService, { service_id: 's1' }, { id: 'mine' });
      for (let n = 0; n < grow; n += 1) await other.execute(createService, { service_id: 's1' }, { id: `theirs-${n}` });
      failOver();
      await expect(app.status()).rejects.toThrow(HistoryDiverged);
    }
  });

  test('reading notices it too, also when the other has grown past it', async () => {
    for (const grow of [0, 1, 5]) {
      const { lagging, store, failOver } = await failingOver();
      await using other = await open({ store: lagging, ...parts });
      await using app = await open({ store, ...parts });
      await app.execute(createService, { service_id: 's1' });
      for (let n = 0; n < grow; n += 1) await other.execute(createService, { service_id: `o${n}` });
      failOver();
      await expect(app.get(services, 's1')).rejects.toThrow(HistoryDiverged);
    }
  });
});
