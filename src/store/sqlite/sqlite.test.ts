/** The conformance suite, on files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { storeConformance } from '../../testing/conformance/index.ts';
import { givenClock } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import { sqlite } from './index.ts';
import { openSession } from './connecting/open-session.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-sqlite-'));
let files = 0;

afterAll(() => rmSync(directory, { recursive: true }));

storeConformance('sqlite', (options) => sqlite(join(directory, `${(files += 1)}.db`), options));

// Caches that forget at once: what they hold must be a matter of speed alone.
storeConformance('sqlite with room for two documents', ({ clock }) => {
  const file = join(directory, `${(files += 1)}.db`);
  const bounds = { names: 2, documents: 2 };
  const going = () => givenClock(clock ?? Date.now, CLOCK_AHEAD_MAX_MS);
  const open = () => openSession(file, { synchronous: 'off', lockTimeoutMs: 5_000, clock: going, bounds });
  return { name: 'sqlite', clock, open };
});
