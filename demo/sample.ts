/** For tests: the results of a run, and what its picture shows. */
import type { Figures } from './figures.ts';

export const FIGURES: Figures = {
  ok: false,
  seed: 1,
  store: 'memory:',
  run: '1-abc',
  rounds: 1000,
  servers: 2,
  commands: 17_917,
  resent: 1334,
  events: 17_917,
  sold: 1000,
  refused: 15_875,
  refusedByReason: { SOLD_OUT: 15_000, UNKNOWN_SERVICE: 875 },
  oversold: 0,
  conflicts: 1396,
  conflictsByServer: { Paris: 700, Tokyo: 696 },
  overlapping: 994,
  winsByServer: { Paris: 1000, Tokyo: 0 },
  latencyMsByServer: { Paris: { p50: 1.5, p99: 9.25 }, Tokyo: { p50: 1.75, p99: 10 } },
  rebuilt: true,
  documents: 1042,
  stored: true,
  window: {
    pages: 1400,
    onSale: 1,
    cheapest: [{ title: 'Piano lesson', seller: 'seller1', price: 12, left: 1 }],
    bySeller: { seller1: { onSale: 1, soldOut: 99 }, seller2: { onSale: 0, soldOut: 101 } },
  },
  chain: false,
  seconds: 6.1,
  commandsPerSecond: 3158,
  laws: [
    { name: 'places', ok: true, found: '1,000 services, each sold exactly once' },
    { name: 'chain', ok: false, found: 'The hash chain breaks at position 12' },
  ],
};

/** Where the strokes of each server begin. */
export function strokesIn(picture: string): string[][] {
  return [...picture.matchAll(/<path d="([^"]*)"/g)].map(([, d = '']) => d.split('M').slice(1));
}
