/**
 * Connections are few: a burst of reads keeps no write from its own, what is given up ends at the server too, logs that
 * share a pool don't wait for each other in a circle, and closing has an end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { open } from 'tidemark';
import { postgres, type PostgresOptions } from 'tidemark/postgres';
import { describe, expect, test } from 'vitest';
import { above, commit, event, user } from '../../../src/testing/conformance/batches.ts';
import { TestLog } from '../../../src/testing/conformance/log.ts';
import { createService, parts } from '../../support/market.ts';
import { startPgBouncer } from '../../support/pgbouncer.ts';
import { testDatabase, waitsFor } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const database = testDatabase();
let schemas = 0;
const fresh = (): string => `few_${(schemas += 1)}`;
const code = (name: string, details: object = {}) =>
  expect.objectContaining({ code: name, details: expect.objectContaining(details) });

type Ended = string | undefined;
/** The code of its error; undefined if it was answered. */
const ended = (call: Promise<unknown>): Promise<Ended> =>
  call.then(
    () => undefined,
    ({ code: name }: { code: string }) => name,
  );

/** Holds locks by statements of another client's while the work runs. */
async function locking(statements: string, work: () => Promise<void>): Promise<void> {
  const client = new Client(database.url);
  await client.connect();
  try {
    await client.query(`BEGIN; ${statements}`);
    await work();
  } finally {
    await client.end();
  }
}

const tableLocked = (schema: string, table = 'commits') => `LOCK TABLE ${schema}.${table} IN ACCESS EXCLUSIVE MODE`;
const writersWait = async (count: number): Promise<boolean> =>
  (await database.run(`SELECT ${waitsFor('write_lock')}`)).length === count;
const readersWait = async (): Promise<number> => (await database.run(`SELECT ${waitsFor('commits')}`)).length;

test.each(['load', 'ledger'] as const)('a burst of %s keeps no write from being stored', async (kind) => {
  const log = await TestLog.on(database.store());
  const { session } = log;
  const call = kind === 'load' ? () => session.load([above(user('u1'), 0)]) : () => session.ledger(['c1']);
  await log.append(commit('c1', event('NOTED', user('u1'))));
  let over = 0;
  const burst = Array.from({ length: 20_000 }, () => ended(call()).finally(() => (over += 1)));
  for (const id of ['c2', 'c3', 'c4']) await log.append(commit(id, event('NOTED', user('u1'))));
  // Reads of another kind have their turn, too: those that a command is decided on don't wait for the burst.
  expect(await session.commits({ limit: 10 })).toHaveLength(4);
  expect(over).toBeLessThan(20_000);
  const codes = new Set(await Promise.all(burst));
  for (const name of codes) expect([undefined, 'ConnectionsBusy']).toContain(name);
  expect(codes).toContain('ConnectionsBusy');
  await log.close();
});

test('one call too many is told at once, and one that waits too long by then; others are served', async () => {
  const schema = fresh();
  const options = { schema, connections: 2, callsWaitingMax: 3, connectTimeoutMs: 300, answerTimeoutMs: 5_000 };
  const log = await TestLog.on(postgres(database.url, options));
  let first: Promise<Ended> | undefined;
  await locking(tableLocked(schema), async () => {
    first = ended(log.session.load([]));
    await until(async () => (await readersWait()) === 1);
    const waiting = Array.from({ length: 3 }, () => log.session.load([]));
    const busy = code('ConnectionsBusy', { connections: 2, waiting: 3, waitsFor: 'end' });
    const late = Promise.all(waiting.map((call) => expect(call).rejects.toThrow(code('ConnectionsBusy'))));
    await expect(log.session.load([])).rejects.toThrow(busy);
    await late;
    await database.run(`SELECT pg_cancel_backend(pid) ${waitsFor('commits')}`);
    // It was cut short by somebody, so it was asked again.
    await until(async () => (await readersWait()) === 1);
  });
  expect(await first).toBe(undefined);
  expect((await log.session.load([])).end.position).toBe(0);
  await log.close();
});

/** Reads again and again, while the table is locked: backends are few, and none is left waiting. */
async function lockedOut(schema: string, url: string | Pool): Promise<void> {
  const options: PostgresOptions = { schema, answerTimeoutMs: 200, connectTimeoutMs: 1_000, lockTimeoutMs: 200 };
  const log = await TestLog.on(postgres(url as string, options));
  let backends = 0;
  let givenUp = 0;
  await locking(tableLocked(schema), async () => {
    const end = performance.now() + 3_000;
    const readers = Array.from({ length: 8 }, async () => {
      while (performance.now() < end) {
        await expect(log.session.load([])).rejects.toThrow(code('StoreUnavailable'));
        givenUp += 1;
      }
    });
    while (performance.now() < end) {
      backends = Math.max(backends, await readersWait());
      await sleep(50);
    }
    await Promise.all(readers);
    // Nobody waits for them, and they wait no more, though the table is locked still.
    await until(async () => (await readersWait()) === 0);
    await expect(log.append(commit('c1', event('NOTED')))).rejects.toThrow(code('StoreUnavailable'));
  });
  expect(givenUp).toBeGreaterThan(8);
  expect(backends).toBeLessThanOrEqual(4);
  await log.append(commit('c1', event('NOTED')));
  expect((await log.session.load([])).end.position).toBe(1);
  await log.close();
}

describe('a table that somebody has locked', () => {
  test('costs no more backends than a session has connections', () => lockedOut(fresh(), database.url));

  test('nor by way of a pool of the user’s', async () => {
    const pool = new Pool({ connectionString: database.url, max: 4 });
    await lockedOut(fresh(), pool);
    await pool.end();
  });

  test('nor by way of PgBouncer', async () => {
    const pooler = await startPgBouncer(database.url, 10);
    try {
      await lockedOut(fresh(), pooler.url);
    } finally {
      await pooler.end();
    }
  });

  test.each(['log', 'write_lock', 'commits', 'fences'])('ends a write in time: %s', async (table) => {
    const schema = fresh();
    const log = await TestLog.on(postgres(database.url, { schema, lockTimeoutMs: 200 }));
    await locking(tableLocked(schema, table), async () => {
      await expect(log.append(commit('c1', event('NOTED')))).rejects.toThrow(
        code('StoreUnavailable', { sqlState: '55P03' }),
      );
    });
    await log.append(commit('c1', event('NOTED')));
    await log.close();
  });
});

test('two logs on a pool of two decide under the lock without waiting for each other', async () => {
  const pool = new Pool({ connectionString: database.url, max: 2 });
  const made = [fresh(), fresh()];
  const limits = { triesMax: 1 };
  const apps = await Promise.all(made.map((schema) => open({ store: postgres(pool, { schema }), ...parts, limits })));
  const others = await Promise.all(made.map((schema) => open({ store: postgres(database.url, { schema }), ...parts })));
  const servers = [...apps, ...others];
  const outcomes = await Promise.all(
    servers.map(async (app, index) => {
      const found: string[] = [];
      for (let n = 0; n < 30; n += 1) {
        const id = `${index % 2}-${n}`;
        // Both servers of a log send the same commands: what the other has executed is read again, under the lock.
        found.push((await app.execute(createService, { service_id: id }, { id })).status);
      }
      return found;
    }),
  );
  expect(new Set(outcomes.flat())).toEqual(new Set(['succeeded']));
  await Promise.all(servers.map((app) => app.close()));
  await pool.end();
});

describe('close({ timeoutMs })', () => {
  test.each(['its own pool', 'a pool of the user’s'])('gives up what is under way, by name (%s)', async (whose) => {
    const schema = fresh();
    const pool = whose === 'its own pool' ? undefined : new Pool({ connectionString: database.url, max: 4 });
    const log = await TestLog.on(postgres((pool ?? database.url) as string, { schema, connections: undefined }));
    const { session } = log;
    let calls: Promise<Ended>[] = [];
    await locking(`LOCK TABLE ${schema}.write_lock IN EXCLUSIVE MODE; ${tableLocked(schema, 'types')}`, async () => {
      const sent = log.append(commit('c1', event('NOTED')));
      const inDoubt = sent.catch((error: unknown) => error);
      const queued = [log.send(commit('c2', event('NOTED'))), session.exclusive(async () => undefined)];
      const reading = Array.from({ length: 9 }, () => session.types({ limit: 1 }));
      const waiting = session.moved(log.end, new AbortController().signal);
      calls = [...queued, ...reading, waiting].map(ended);
      await until(() => writersWait(1));
      await until(async () => (await database.run(`SELECT ${waitsFor('types')}`)).length > 1);
      const since = performance.now();
      await (session as { close(options: { timeoutMs: number }): Promise<void> }).close({ timeoutMs: 100 });
      expect(performance.now() - since).toBeLessThan(5_000);
      expect(await inDoubt).toEqual(code('StoreUnavailable', { unknown: true }));
      // The reads are cancelled; what was sent isn't: it may be stored yet.
      await until(async () => (await database.run(`SELECT ${waitsFor('types')}`)).length === 0);
      expect(await writersWait(1)).toBe(true);
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['Closed']));
    await expect(session.load([])).rejects.toThrow(code('Closed'));
    await pool?.end();
  });

  test('ends a section whose work goes on: nothing of it is stored', async () => {
    const schema = fresh();
    const log = await TestLog.on(postgres(database.url, { schema }));
    const told: Ended[] = [];
    const working = Promise.withResolvers<void>();
    const goesOn = Promise.withResolvers<void>();
    const section = log.session.exclusive(async (by) => {
      await log.append(commit('c1', event('NOTED')), { by });
      working.resolve();
      await goesOn.promise;
      told.push(await ended(by.load([])), await ended(log.append(commit('c2', event('NOTED')), { by })));
    });
    const closed = ended(section);
    await working.promise;
    await (log.session as { close(options: { timeoutMs: number }): Promise<void> }).close({ timeoutMs: 20 });
    expect(await closed).toBe('Closed');
    goesOn.resolve();
    await until(() => told.length === 2);
    expect(told).toEqual(['Closed', 'Closed']);
    const other = await postgres(database.url, { schema }).open();
    expect((await other.load([])).end.position).toBe(0);
    await other.close();
  });

  test('waits for what ends in time', async () => {
    const log = await TestLog.on(postgres(database.url, { schema: fresh() }));
    const calls = [
      log.append(commit('c1', event('NOTED'))),
      log.session.load([]),
      log.session.exclusive(async () => 1),
    ];
    await (log.session as { close(options: { timeoutMs: number }): Promise<void> }).close({ timeoutMs: 30_000 });
    await Promise.all(calls);
  });
});
