/** Emmett on SQLite: `getSQLiteEventStore({ fileName })`, which makes its tables itself. */
import { getSQLiteEventStore } from '@event-driven-io/emmett-sqlite';
import { countInSqlite } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { SETUP, buying, earlier, handle, streamOf } from './emmett.ts';

const storeOf = (fileName: string): ReturnType<typeof getSQLiteEventStore> =>
  getSQLiteEventStore({ schema: { autoMigration: 'CreateOrUpdate' }, fileName });

export const peer: Peer = {
  packages: ['@event-driven-io/emmett', '@event-driven-io/emmett-sqlite', 'sqlite3'],
  setup: `${SETUP}; WAL and synchronous=FULL, its defaults`,
  seed: async (fileName, services) => {
    const store = storeOf(fileName);
    // One after the other: it fails with more.
    for (let n = 0; n < services; n += 1) await store.appendToStream(streamOf(serviceId(n)), earlier(serviceId(n), n));
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
