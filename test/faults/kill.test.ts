/**
 * Servers killed at random moments, hundreds of times: whatever they acknowledged is there, once, and nothing is half
 * there. A kill leaves the machine's page cache alone, so this shows nothing about the disk: that is `sync.long.test.ts`.
 *
 * TIDEMARK_KILLS sets how many (6, or 200 in the run of all tests); TIDEMARK_SEED repeats the choice of moments as far as a machine can.
 */
import { afterEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { Lives, type Met } from './kill-lives.ts';
import { seeded } from '../support/seed.ts';
import { setting } from '../support/setting.ts';
import { endServers } from './server-process.ts';

const KILLS = setting('TIDEMARK_KILLS', 6, 30);
/** So many on each log: what a kill leaves is found by the next servers, and the last check walks the whole log. */
const KILLS_PER_LOG = 25;
const TIMEOUT_MS = 120_000 + KILLS * 1_000;

const folder = temporaryFolder();
afterEach(endServers);

test(
  'laws 1, 2, 3, 7: servers killed at any moment keep all that they acknowledged, once, and nothing by halves',
  async () => {
    const lives = new Lives(folder, seeded());
    const total: Partial<Met> = {};
    for (let left = KILLS; left > 0;) {
      const { met, faults } = await lives.live(Math.min(left, KILLS_PER_LOG));
      expect(faults).toEqual([]);
      for (const [name, value] of Object.entries(met)) {
        total[name as keyof Met] = (total[name as keyof Met] ?? 0) + (value as number);
      }
      left -= met.kills;
    }
    process.stdout.write(`killed: ${JSON.stringify(total)}\n`);
    expect(total.kills).toBeGreaterThanOrEqual(KILLS);
    // The kills came where they hurt, which a handful can't at every place.
    if (KILLS < 100) return;
    for (const moment of ['opening', 'closing', 'checkpoint', 'underWay', 'storedUnacknowledged'] as const) {
      expect.soft(total[moment], moment).toBeGreaterThan(0);
    }
  },
  TIMEOUT_MS,
);
