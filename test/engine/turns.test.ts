/** Loading, folding and verifying give the event loop its turns by the time that they take, however few the events. */
import { expect, test } from 'vitest';
import { domain, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { openOn } from '../../src/engine/open.ts';
import { machineRuntime } from '../../src/engine/runtime.ts';

/** What a step of the reducer takes, and the longest that may lie between two turns, in milliseconds. */
const STEP_MS = 3;
const WAIT_MS_MAX = 10;

const EVENTS = 300;

test('a reducer that takes milliseconds holds nobody up for longer than a few of its steps', async () => {
  // A clock that only the reducer moves.
  const clock = { elapsed: 0, turned: 0, longest: 0 };
  const machine = machineRuntime();
  const runtime = {
    ...machine,
    elapsed: () => clock.elapsed,
    turn: () => {
      clock.longest = Math.max(clock.longest, clock.elapsed - clock.turned);
      clock.turned = clock.elapsed;
      return machine.turn();
    },
  };
  const shop = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
  const items = shop.collection('items', {
    key: 'item_id',
    initial: { n: 0 },
    reduce: {
      PUT: (_, { n }) => {
        clock.elapsed += STEP_MS;
        return { n };
      },
    },
  });
  const put = shop.command('PUT', {
    input: type<{ ids: readonly string[] }>(),
    decide: (_, { ids }) => ids.map((item_id, n) => ({ type: 'PUT' as const, item_id, n })),
  });
  const store = memory();
  const parts = { collections: [items], commands: [put] } as const;
  await using first = await openOn({ store, ...parts, reduction: 'off' }, machine);
  await first.execute(put, { ids: Array.from({ length: EVENTS }, () => 'one') });
  await first.execute(put, { ids: Array.from({ length: EVENTS }, (_, n) => `i${n}`) });
  await using app = await openOn({ store, ...parts, reduction: 'off' }, runtime);

  const work = {
    'a document of many events': () => app.get(items, 'one'),
    'many documents': () =>
      app.get(
        items,
        Array.from({ length: EVENTS }, (_, n) => `i${n}`),
      ),
    'the whole log': () => app.fold(items),
    'a verify': () => app.verify(),
  };
  const wrong: string[] = [];
  for (const [name, run] of Object.entries(work)) {
    Object.assign(clock, { turned: clock.elapsed, longest: 0 });
    const begun = clock.elapsed;
    await run();
    const [took, waited] = [clock.elapsed - begun, Math.max(clock.longest, clock.elapsed - clock.turned)];
    if (took < EVENTS * STEP_MS || waited > WAIT_MS_MAX) wrong.push(`${name} took ${took} ms, one piece ${waited} ms`);
  }
  expect(wrong).toEqual([]);
});
