/** Hearing of what other servers commit: by notifications, and by asking where none arrive. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { postgres, type PostgresOptions } from '../index.ts';
import { Waiting } from './waiting.ts';

const database = testDatabase();
const never = new AbortController().signal;

/** Two servers on one log. Under another name of the host the second one counts as another process's. */
async function servers(schema: string, options: PostgresOptions = {}) {
  const elsewhere = new URL(database.url);
  elsewhere.hostname = 'localhost';
  const log = await TestLog.on(postgres(database.url, { schema }));
  const other = await postgres(elsewhere.href, { schema, ...options }).open();
  const end = async () => {
    await other.close();
    await log.close();
  };
  return { log, other, end };
}

const listening = (): Promise<{ pid: number }[]> =>
  database.run("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'");

/** The channel that sessions listen to while they wait. */
async function channel(): Promise<string> {
  await vi.waitFor(async () => expect(await listening()).toHaveLength(1));
  const [row] = await database.run<{ query: string }>(
    "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'",
  );
  return row!.query.replace('LISTEN ', '');
}

describe.each([
  ['by notifications', 4, 1],
  ['by asking, where there is no connection to spare', 2, 0],
] as const)('%s', (_how, connections, listeners) => {
  it('hears of every commit of another server, one after the other', async () => {
    const { log, other, end } = await servers(`heard_${connections}`, { connections });
    let from = (await other.load([])).end;
    for (let n = 1; n <= 5; n += 1) {
      const moved = other.moved(from, never);
      await vi.waitFor(async () => expect(await listening()).toHaveLength(listeners));
      await log.append(commit(`c${n}`, event('NOTED', user('u1'))));
      from = await moved;
      expect(from.position).toBe(n);
    }
    expect(await listening()).toHaveLength(listeners);
    await end();
  });
});

it('hears of what was committed while its connection for that was lost', async () => {
  const { log, other, end } = await servers('lost');
  const first = (await other.load([])).end;
  const moved = other.moved(first, never);
  await vi.waitFor(async () => expect(await listening()).toHaveLength(1));
  const [{ pid } = { pid: 0 }] = await listening();
  await database.run(`SELECT pg_terminate_backend(${pid})`);
  await log.append(commit('c1', event('NOTED', user('u1'))));
  const second = await moved;
  expect(second.position).toBe(1);
  const again = other.moved(second, never);
  await vi.waitFor(async () => expect((await listening()).some((one) => one.pid !== pid)).toBe(true), 5_000);
  await log.append(commit('c2', event('NOTED', user('u1'))));
  expect((await again).position).toBe(2);
  await end();
});

describe('notifications', () => {
  it('are sent after a commit', async () => {
    const { log, other, end } = await servers('sent');
    const moved = other.moved((await other.load([])).end, never);
    const client = new Client(database.url);
    await client.connect();
    await client.query(`LISTEN ${await channel()}`);
    const heard = once(client, 'notification');
    await log.append(commit('c1', event('NOTED', user('u1'))));
    await heard;
    await moved;
    await client.end();
    await end();
  });

  it('are heard: where they arrive the log is asked seldom', async () => {
    const { other, end } = await servers('heard');
    const looks = vi.spyOn(other, 'load');
    const moved = other.moved((await other.load([])).end, never).catch(() => undefined);
    await database.run(`NOTIFY ${await channel()}`);
    await sleep(200);
    looks.mockClear();
    await sleep(500);
    expect(looks.mock.calls.length).toBeLessThan(4);
    await end();
    await moved;
  });
});

it('is not relied on any more once something was committed that nobody told of', async () => {
  const { log, other, end } = await servers('untold');
  const looks = vi.spyOn(other, 'load');
  const first = (await other.load([])).end;
  const moved = other.moved(first, never);
  await database.run(`NOTIFY ${await channel()}`);
  await sleep(200);
  const tell = vi.spyOn(Waiting.prototype, 'tell').mockReturnValue();
  await log.append(commit('c1', event('NOTED', user('u1'))));
  const again = other.moved(await moved, never).catch(() => undefined);
  tell.mockRestore();
  looks.mockClear();
  await sleep(500);
  expect(looks.mock.calls.length).toBeGreaterThan(6);
  await end();
  await again;
});

it('leaves connections of a pool that many logs share', async () => {
  const pool = new Pool({ connectionString: database.url, max: 3 });
  const schemas = ['shared_1', 'shared_2', 'shared_3'];
  const logs: TestLog[] = [];
  // One after the other: making a log takes a while, and the others would wait for a connection.
  for (const schema of schemas) logs.push(await TestLog.on(postgres(pool, { schema, connectTimeoutMs: 500 })));
  const moved = logs.map((log) => log.session.moved(log.end, never));
  await vi.waitFor(async () => expect(await listening()).toHaveLength(1));
  for (const log of logs) await log.append(commit('c1', event('NOTED', user('u1'))));
  expect((await Promise.all(moved)).map(({ position }) => position)).toEqual([1, 1, 1]);
  await Promise.all(logs.map((log) => log.close()));
  await pool.end();
});

it('closes while somebody waits, and leaves no connection', async () => {
  const { other, end } = await servers('closed');
  const moved = other.moved((await other.load([])).end, never);
  await vi.waitFor(async () => expect(await listening()).toHaveLength(1));
  const told = moved.catch((error: unknown) => error);
  await end();
  expect(await told).toMatchObject({ code: 'Closed' });
  await sleep(50);
  expect(await listening()).toHaveLength(0);
});
