/** Castore on PostgreSQL. */
import { PostgresEventStorageAdapter } from '@castore/event-storage-adapter-postgres';
import { countInPostgres } from '../count.ts';
import type { Peer } from '../peer.ts';
import { SETUP, openShop, seedShop } from './castore.ts';

/** Our ids aren't UUIDs, which is its default. */
const AGGREGATE_ID = { type: 'VARCHAR', length: 64 } as const;

export const peer: Peer = {
  packages: ['@castore/core', '@castore/event-storage-adapter-postgres', 'postgres'],
  setup: `${SETUP}; aggregateId VARCHAR(64)`,
  seed: async (connectionString, services) => {
    await PostgresEventStorageAdapter.createEventTable({ connectionString, aggregateId: AGGREGATE_ID });
    await seedShop(new PostgresEventStorageAdapter({ connectionString }), services);
  },
  open: (connectionString) => Promise.resolve(openShop(new PostgresEventStorageAdapter({ connectionString }))),
  count: (url) => countInPostgres(url, 'event'),
};
