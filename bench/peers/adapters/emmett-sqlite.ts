/** Emmett on SQLite: `getSQLiteEventStore({ fileName })`, which makes its tables itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { getSQLiteEventStore } from '@event-driven-io/emmett-sqlite';
import { countInSqlite } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { SETUP, buying, earlier, handle, streamOf } from './emmett.ts';

const TRIES = 10;
const PAUSE_MS = 20;

const storeOf = (fileName: string): ReturnType<typeof getSQLiteEventStore> =>
  getSQLiteEventStore({ schema: { autoMigration: 'CreateOrUpdate' }, fileName });

async function makeService(store: ReturnType<typeof storeOf>, n: number): Promise<void> {
  const stream = streamOf(serviceId(n));
  if (!(await store.streamExists(stream))) await store.appendToStream(stream, earlier(serviceId(n), n));
}

async function again(work: () => Promise<void>): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

export const peer: Peer = {
  packages: ['@event-driven-io/emmett', '@event-driven-io/emmett-sqlite', 'sqlite3'],
  setup: `${SETUP}; WAL and synchronous=FULL, its defaults`,
  seed: async (fileName, services) => {
    const store = storeOf(fileName);
    // One after the other, and again where it fails all the same: SQLITE_BUSY, with nobody else on the file.
    for (let n = 0; n < services; n += 1) await again(() => makeService(store, n));
  },
  open: (fileName) => {
    const store = storeOf(fileName);
    return Promise.resolve({
      buy: async (service, buyer) => {
        await handle(store, streamOf(service), buying(service, buyer));
      },
      close: () => Promise.resolve(),
    });
  },
  count: (fileName) => Promise.resolve(countInSqlite(fileName, 'emt_messages')),
};
