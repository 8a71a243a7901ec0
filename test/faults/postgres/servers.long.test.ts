/**
 * Servers killed by SIGKILL, backends ended or killed, under load from several servers on one PostgreSQL.
 *
 * TIDEMARK_KILLS sets how many of each (6).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { testDatabase } from '../../support/postgres.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { seeded } from '../../support/seed.ts';
import { setting } from '../../support/setting.ts';
import { endServers } from '../server-process.ts';
import { UnderLoad } from './under-load.ts';

const KILLS = setting('TIDEMARK_KILLS', 6);
const TIMEOUT_MS = 120_000 + KILLS * 5_000;
/** A kill comes at most so long after every server has acknowledged something, in milliseconds. */
const MOMENT_MS = 60;

const database = testDatabase();
const folder = temporaryFolder();
afterEach(endServers);

const END_BACKENDS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`;

describe('a server that is killed', () => {
  test(
    'laws 1, 2, 3, 5, 7: leaves all that it acknowledged, once, and nothing by halves; the others go on',
    async () => {
      const random = seeded();
      const load = await UnderLoad.on({ url: database.url, schema: 'killed' }, random);
      for (let kills = 0; kills < KILLS; kills += 1) {
        await load.more('acknowledged', 3);
        await sleep(random() * MOMENT_MS);
        await Promise.all([load.kill(), load.start()]);
      }
      const met = await load.endsSound(folder, 'servers killed');
      // The kills came where they hurt.
      expect(met.cutOff).toBeGreaterThan(0);
      expect(met.followed).toBeGreaterThan(met.events);
    },
    TIMEOUT_MS,
  );

  test(
    'control: one that acknowledges before it commits is caught',
    async () => {
      const random = seeded();
      const load = await UnderLoad.on({ url: database.url, schema: 'hasty' }, random, { servers: 2, hastyMs: 30 });
      for (let kills = 0; kills < 6; kills += 1) {
        await load.more('acknowledged', 3);
        await Promise.all([load.kill(), load.start()]);
      }
      expect((await load.ended(folder)).faults.join('\n')).toMatch(/was acknowledged at \d+ and is lost/);
    },
    TIMEOUT_MS,
  );
});

describe('a server whose connections are all ended', () => {
  test(
    'laws 1, 2, 3, 5, 7, lesson 10: goes on, and has stored each command once',
    async () => {
      const random = seeded();
      const load = await UnderLoad.on({ url: database.url, schema: 'ended' }, random);
      for (let times = 0; times < KILLS * 4; times += 1) {
        await load.more('acknowledged', 3);
        await sleep(random() * MOMENT_MS);
        await database.run(END_BACKENDS);
      }
      const met = await load.endsSound(folder, 'backends ended');
      expect(met.followed).toBe(met.events * 3);
      // They were ended in the middle of a write.
      expect(met.doubts).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  test(
    'control: one that acknowledges before it commits is caught',
    async () => {
      const load = await UnderLoad.on({ url: database.url, schema: 'ended_hasty' }, seeded(), {
        servers: 2,
        hastyMs: 30,
      });
      for (let times = 0; times < 12; times += 1) {
        await load.more('acknowledged', 2);
        await database.run(END_BACKENDS);
      }
      expect((await load.ended(folder)).faults.join('\n')).toMatch(/was acknowledged at \d+ and is lost/);
    },
    TIMEOUT_MS,
  );
});
