/** Reading of the whole log gives way to commands, and to nothing where there are none. */
import { expect, test } from 'vitest';
import { domain, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import type { Core } from './core.ts';
import { givingWay } from './giving-way.ts';

/** A clock that only reading moves: each call takes `ms`. */
function model(ms: number) {
  const clock = { elapsed: 0, rests: [] as number[] };
  const counters = { commands: 0 };
  const core = {
    counters,
    closing: new AbortController(),
    runtime: {
      elapsed: () => clock.elapsed,
      sleep: async (rest: number) => void clock.rests.push(rest),
    },
    untilClosed: { load: async () => void (clock.elapsed += ms) },
  } as unknown as Core;
  return { clock, counters, reads: givingWay(core) };
}

test('rests as long as it has read, where commands were executed meanwhile', async () => {
  const { clock, counters, reads } = model(3);
  for (let n = 0; n < 4; n += 1) await reads.load([]);
  expect(clock.rests).toEqual([]);
  for (let n = 0; n < 5; n += 1) {
    counters.commands += 1;
    await reads.load([]);
  }
  // After two calls each, as for less than 5 ms it doesn't; what was read before the first command counts with it.
  expect(clock.rests).toEqual([12, 6, 6]);
  const slow = model(2_000);
  for (let n = 0; n < 3; n += 1) {
    slow.counters.commands += 1;
    await slow.reads.load([]);
  }
  expect(slow.clock.rests).toEqual([100, 100]);
});

test('a fold in the midst of commands comes to its end, and so does verify', async () => {
  const shop = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
  const items = shop.collection('items', { key: 'item_id', initial: { n: 0 }, reduce: { PUT: (_, { n }) => ({ n }) } });
  const put = shop.command('PUT', {
    input: type<{ item_id: string; n: number }>(),
    decide: (_, input) => ({ type: 'PUT', ...input }),
  });
  await using app = await open({ store: memory(), collections: [items], commands: [put] });
  const fill = (from: number) =>
    Promise.all(Array.from({ length: 500 }, (_, n) => app.execute(put, { item_id: `i${from + n}`, n })));
  for (let from = 0; from < 2_000; from += 500) await fill(from);
  const others = { going: true };
  const filling = (async () => {
    while (others.going) await fill(0);
  })();
  expect((await app.fold(items)).size).toBe(2_000);
  expect((await app.verify()).ok).toBe(true);
  others.going = false;
  await filling;
});
