/** Tidemark on PostgreSQL. Any number of processes may open the same log. */
import { postgres } from '../../../src/store/postgres/index.ts';
import { countInPostgres } from '../count.ts';
import type { Peer } from '../peer.ts';
import { SETUP, openShop, seedShop } from './tidemark.ts';

export const peer: Peer = {
  packages: ['pg'],
  setup: SETUP,
  seed: (url, services) => seedShop(postgres(url), services),
  open: (url) => openShop(postgres(url)),
  count: (url) => countInPostgres(url, 'tidemark.events'),
};
