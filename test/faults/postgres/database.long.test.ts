/**
 * The database itself crashes under load, and comes back: the whole server as `pg_ctl stop -m immediate` ends it, or one
 * of its backends killed by SIGKILL, upon which PostgreSQL ends all of them and recovers.
 *
 * TIDEMARK_CRASHES sets how many of each (3).
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { start, type Server as Postgres } from '../../support/postgres-server.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { seeded } from '../../support/seed.ts';
import { setting } from '../../support/setting.ts';
import { endServers } from '../server-process.ts';
import { UnderLoad } from './under-load.ts';

const CRASHES = setting('TIDEMARK_CRASHES', 3);
const TIMEOUT_MS = 120_000 + CRASHES * 10_000;
/** Shorter than the wait by itself: so the callers hear of it while the database is away. */
const WAIT_MS = 500;
const MOMENT_MS = 100;

/** How often the control may find that nothing was lost. */
const CONTROLS = 8;
const LOST = /was acknowledged at \d+ and is lost/;
const DIVERGED = '"code":"HistoryDiverged"';

const folder = temporaryFolder();
let postgres: Postgres;
beforeAll(async () => void (postgres = await start()));
afterEach(endServers);
afterAll(() => postgres.end());

/** SIGKILL to a backend of a server's, as the kernel gives it where memory runs out. */
async function killBackend(): Promise<void> {
  const client = new Client(postgres.url);
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'tidemark' ORDER BY random() LIMIT 1`,
  );
  await client.end();
  if (rows[0]) execFileSync('kill', ['-KILL', String(rows[0].pid)]);
}

test(
  'laws 1, 2, 3, 5, 7: a database that crashes has all that was acknowledged; callers hear of it, and go on once it is back',
  async () => {
    const random = seeded();
    const load = await UnderLoad.on({ url: postgres.url, schema: 'crashed' }, random, { waitMs: WAIT_MS });
    for (let crashes = 0; crashes < CRASHES; crashes += 1) {
      await load.more('acknowledged', 5);
      await sleep(random() * MOMENT_MS);
      await postgres.crash();
      // Every server tells its callers, however long it takes for the database to come back: nobody waits for ever.
      await load.more('away', 8);
      await postgres.startAgain();
      await load.more('acknowledged', 5);
      await sleep(random() * MOMENT_MS);
      await killBackend();
    }
    await load.more('acknowledged', 5);
    const met = await load.endsSound(folder, 'database crashed');
    expect(met.followed).toBe(met.events * load.servers.length);
    expect(met.doubts).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

test(
  'law 9, lesson 22, control: where a commit is acknowledged before it is on the disk, losses are found, and servers notice',
  async () => {
    const random = seeded();
    let faults = '';
    // PostgreSQL writes what it was not asked to flush when it likes to: it may just have done so.
    for (let tries = 0; tries < CONTROLS && !(LOST.test(faults) && faults.includes(DIVERGED)); tries += 1) {
      const place = { url: postgres.url, schema: `asynchronous_${tries}` };
      const load = await UnderLoad.on(place, random, { waitMs: WAIT_MS, asynchronous: true });
      await load.more('acknowledged', 20);
      await postgres.crash();
      await postgres.startAgain();
      await load.more('acknowledged', 20);
      faults = (await load.ended(folder)).faults.join('\n');
    }
    expect(faults).toMatch(LOST);
    expect(faults).toContain(DIVERGED);
  },
  TIMEOUT_MS,
);
