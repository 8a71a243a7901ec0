/** Tidemark on SQLite. */
import { sqlite } from '../../../src/store/sqlite/index.ts';
import { countInSqlite } from '../count.ts';
import type { Peer } from '../peer.ts';
import { SETUP, openShop, seedShop } from './tidemark.ts';

export const peer: Peer = {
  packages: [],
  setup: SETUP,
  seed: (file, services) => seedShop(sqlite(file), services),
  open: (file) => openShop(sqlite(file)),
  count: (file) => Promise.resolve(countInSqlite(file, 'events')),
};
