/** The conformance suite once more, with caches that forget at once: what they hold must be a matter of speed alone. */
import { join } from 'node:path';
import { temporaryFolder } from '../../../test/support/stores.ts';
import { storeConformance } from '../../testing/conformance/index.ts';
import { givenClock } from '../clock.ts';
import { CLOCK_AHEAD_MAX_MS } from '../store.ts';
import { openSession } from './connecting/open.ts';

const directory = temporaryFolder();
let files = 0;

storeConformance('sqlite with room for two documents', ({ clock }) => {
  const file = join(directory, `${(files += 1)}.db`);
  const bounds = { names: 2, documents: 2 };
  const going = () => givenClock(clock ?? Date.now, CLOCK_AHEAD_MAX_MS);
  const open = () => openSession(file, { synchronous: 'off', lockTimeoutMs: 5_000, clock: going, bounds });
  return { name: 'sqlite', clock, open };
});
