/** Castore in memory: nothing of it is durable. It shows what its own code costs. */
import { InMemoryEventStorageAdapter } from '@castore/event-storage-adapter-in-memory';
import type { Peer } from '../peer.ts';
import { SETUP, openShop, seedShop } from './castore.ts';

const adapter = new InMemoryEventStorageAdapter({});

export const peer: Peer = {
  packages: ['@castore/core', '@castore/event-storage-adapter-in-memory'],
  setup: `${SETUP}; nothing is durable`,
  seed: (_, services) => seedShop(adapter, services),
  open: () => Promise.resolve(openShop(adapter)),
  count: () => {
    const aggregates = Object.values(adapter.eventStore);
    return Promise.resolve(aggregates.reduce((total, events) => total + events.length, 0));
  },
};
