/** The check of `kill.test.ts` can fail. */
import { afterEach, expect, test } from 'vitest';
import { temporaryFolder } from '../support/stores.ts';
import { Lives } from './kill-lives.ts';
import { seeded } from '../support/seed.ts';
import { endServers } from './server-process.ts';

const TIMEOUT_MS = 160_000;

const folder = temporaryFolder();
afterEach(endServers);

test(
  'control: a server that acknowledges before it commits is caught by the same check',
  async () => {
    const lives = new Lives(folder, seeded(), 5);
    const { faults, met } = await lives.live(40);
    expect(faults.join('\n')).toMatch(/was acknowledged at \d+ and is lost/);
    expect(met.kills).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
