/**
 * PgBouncer between, in transaction mode: one statement of a connection runs on this backend, the next on that one. Servers
 * under load by way of it, while backends are ended behind it and it is killed itself.
 *
 * TIDEMARK_KILLS sets how often (6).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { postgres } from 'tidemark/postgres';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { commit, event } from '../../../src/testing/conformance/batches.ts';
import { TestLog } from '../../../src/testing/conformance/log.ts';
import { startPgBouncer, type PgBouncer } from '../../support/pgbouncer.ts';
import { testDatabase } from '../../support/postgres.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { seeded } from '../../support/seed.ts';
import { setting } from '../../support/setting.ts';
import { endServers } from '../server-process.ts';
import { UnderLoad } from './under-load.ts';

const KILLS = setting('TIDEMARK_KILLS', 6);
const TIMEOUT_MS = 120_000 + KILLS * 10_000;
const WAIT_MS = 1_000;
const MOMENT_MS = 60;
/** Fewer than three servers have connections. */
const CONNECTIONS = 3;

const database = testDatabase();
const folder = temporaryFolder();
let pooler: PgBouncer;
beforeAll(async () => void (pooler = await startPgBouncer(database.url, CONNECTIONS)));
afterEach(endServers);
afterAll(() => pooler.end());

const END_BACKENDS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

test('control: it is in transaction mode: what a connection leaves behind, others find', async () => {
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS + 1 }, async () => {
      const client = new Client(pooler.url);
      await client.connect();
      return client;
    }),
  );
  // Each believes that it alone holds a lock of its session.
  const locked: boolean[] = [];
  for (const client of clients) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock(1) AS locked');
    locked.push(rows[0]!.locked);
  }
  expect(locked.filter(Boolean).length).toBeGreaterThan(1);
  await Promise.all(clients.map((client) => client.end()));
  // What was left behind there goes with the backends.
  await database.run(END_BACKENDS);
});

test('nobody is left listening behind it, and followers hear of commits all the same', async () => {
  const log = await TestLog.on(postgres(database.url, { schema: 'unheard' }));
  const follower = await postgres(pooler.url, { schema: 'unheard' }).open();
  const stop = new AbortController();
  for (const id of ['c1', 'c2', 'c3']) {
    const moved = follower.moved(log.end, stop.signal);
    await log.append(commit(id, event('NOTED')));
    expect((await moved).position).toBe(log.end.position);
  }
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = new Client(pooler.url);
      await client.connect();
      // Each keeps a backend to itself.
      await client.query('BEGIN');
      return client;
    }),
  );
  for (const client of clients) {
    expect((await client.query('SELECT pg_listening_channels()')).rows).toEqual([]);
    await client.query('COMMIT');
    await client.end();
  }
  await follower.close();
  await log.close();
});

test(
  'laws 1, 2, 3, 5, 7, lesson 10: by way of PgBouncer nothing acknowledged is lost, and nothing is stored twice',
  async () => {
    const random = seeded();
    const place = { url: database.url, schema: 'pooled', through: pooler.url };
    const load = await UnderLoad.on(place, random, { waitMs: WAIT_MS });
    for (let times = 0; times < KILLS; times += 1) {
      await load.more('acknowledged', 3);
      const backends = await database.run('SELECT FROM pg_stat_activity WHERE datname = current_database()');
      // One of them asks.
      expect(backends.length).toBeLessThanOrEqual(CONNECTIONS + 1);
      await sleep(random() * MOMENT_MS);
      await database.run(END_BACKENDS);
      await load.more('acknowledged', 3);
      await sleep(random() * MOMENT_MS);
      await pooler.kill();
      await pooler.startAgain();
    }
    await load.more('acknowledged', 3);
    const met = await load.endsSound(folder, 'by way of PgBouncer');
    expect(met.followed).toBe(met.events * load.servers.length);
    expect(met.doubts).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  'control: servers that acknowledge before they commit are caught',
  async () => {
    const place = { url: database.url, schema: 'pooled_hasty', through: pooler.url };
    const load = await UnderLoad.on(place, seeded(), { servers: 2, waitMs: WAIT_MS, hastyMs: 30 });
    for (let times = 0; times < 12; times += 1) {
      await load.more('acknowledged', 2);
      await database.run(END_BACKENDS);
    }
    expect((await load.ended(folder)).faults.join('\n')).toMatch(/was acknowledged at \d+ and is lost/);
  },
  TIMEOUT_MS,
);
