/** Emmett on PostgreSQL: `getPostgreSQLEventStore(connectionString)`, which makes its tables itself. */
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import { atOnce } from '../at-once.ts';
import { countInPostgres } from '../count.ts';
import { serviceId, type Peer } from '../peer.ts';
import { SETUP, buying, earlier, handle, streamOf } from './emmett.ts';

export const peer: Peer = {
  packages: ['@event-driven-io/emmett', '@event-driven-io/emmett-postgresql'],
  setup: SETUP,
  seed: async (url, services) => {
    const store = getPostgreSQLEventStore(url);
    await atOnce(8, services, async (n) => {
      await store.appendToStream(streamOf(serviceId(n)), earlier(serviceId(n), n));
    });
    await store.close();
  },
  open: (url) => {
    const store = getPostgreSQLEventStore(url);
    return Promise.resolve({
      buy: async (service, buyer) => {
        await handle(store, streamOf(service), buying(service, buyer));
      },
      close: () => store.close(),
    });
  },
  count: (url) => countInPostgres(url, 'emt_messages'),
};
