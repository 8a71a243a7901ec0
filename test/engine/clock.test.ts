/** Whose clock counts, and that a past which was shown stays as it was. */
import { join } from 'node:path';
import { open, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { createService, parts, services, viewService } from '../support/market.ts';
import { testDatabase } from '../support/postgres.ts';
import { onLocalStores, temporaryFolder } from '../support/stores.ts';

const MINUTE = 60_000;
const YEAR = 365 * 24 * 60 * MINUTE;
const START = Date.UTC(2015, 0, 1);

onLocalStores('the clock', (makeStore) => {
  test('what was recorded by a moment that has passed is the same for ever, though it was decided before that', async () => {
    let now = START;
    const store = makeStore({ clock: () => now });
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1' });
    const held = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    const slow = changedStore(store, (session) => ({
      append: async (batch) => {
        sent.resolve();
        await held.promise;
        return session.append(batch);
      },
    }));
    await using other = await open({ store: slow, ...parts });
    const viewed = other.execute(viewService, { service_id: 's1' });
    await sent.promise;
    // It is decided; five seconds later somebody looks at what was a second ago.
    now += 5_000;
    const then = { time: now - 1_000 };
    const shown = await app.get(services, 's1', then);
    held.resolve();
    const { events } = await viewed;
    expect(events[0]).toMatchObject({ time: START, recordedAt: START + 5_000 });
    expect(await app.get(services, 's1', then)).toEqual(shown);
    expect((await app.get(services, 's1', { time: now })).version).toBe(2);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('given to the store it is the application’s too, wherever it goes', async () => {
    let now = START;
    await using app = await open({ store: makeStore({ clock: () => now }), ...parts });
    for (const step of [0, 10, YEAR, 10 * YEAR]) {
      now += step;
      const { events } = await app.execute(createService, { service_id: `s${step}` });
      expect(events[0]).toMatchObject({ time: now, recordedAt: now });
    }
  });

  test('given to both, each goes by its own', async () => {
    const store = makeStore({ clock: () => START + 2 * MINUTE });
    await using app = await open({ store, ...parts, clock: () => START });
    const { events } = await app.execute(createService, { service_id: 's1' });
    expect(events[0]).toMatchObject({ time: START, recordedAt: START + 2 * MINUTE });
    // What comes then is decided no earlier than that.
    const { events: more } = await app.execute(createService, { service_id: 's2' });
    expect(more[0]).toMatchObject({ time: START + 2 * MINUTE, recordedAt: START + 2 * MINUTE });
  });

  test('given to nobody, it is about now', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const { events } = await app.execute(createService, { service_id: 's1' });
    for (const time of [events[0]!.time, events[0]!.recordedAt]) {
      expect(Math.abs(time - Date.now())).toBeLessThan(MINUTE);
    }
  });
});

const folder = temporaryFolder();
let files = 0;
const ownClockless: [string, () => Store][] = [
  ['memory', () => memory()],
  ['sqlite', () => sqlite(join(folder, `${(files += 1)}.db`))],
];

afterEach(() => void vi.useRealTimers());

describe.each(ownClockless)('on %s', (_, makeStore) => {
  test('the clock given to open alone is the store’s too, wherever it goes', async () => {
    let now = Date.UTC(2090, 0, 1);
    const store = makeStore();
    await using app = await open({ store, ...parts, clock: () => now });
    for (const step of [0, 10, YEAR, 10 * YEAR]) {
      now += step;
      const { events } = await app.execute(createService, { service_id: `s${step}` });
      expect(events[0]).toMatchObject({ time: now, recordedAt: now });
    }
    await app.close();
    // Such a clock is no anchor for that of the machine.
    await using later = await open({ store, ...parts });
    const { events } = await later.execute(createService, { service_id: 'later' });
    expect(events[0]).toMatchObject({ time: now, recordedAt: now });
  });
});

test('in memory the machine’s own may be set, as tests do: the log ends with the process', async () => {
  await using app = await open({ store: memory(), ...parts });
  await app.execute(createService, { service_id: 's1' });
  const later = Date.now() + YEAR;
  vi.setSystemTime(later);
  expect((await app.execute(createService, { service_id: 's2' })).events[0]).toMatchObject({ recordedAt: later });
});

test('lesson 30: in a file the machine’s own is refused where it jumps ahead, unless it is given to open', async () => {
  const store = sqlite(join(folder, `${(files += 1)}.db`));
  await using app = await open({ store, ...parts });
  await app.execute(createService, { service_id: 's1' });
  vi.setSystemTime(Date.now() + YEAR);
  const jumped = app.execute(createService, { service_id: 's2' });
  await expect(jumped).rejects.toMatchObject({ code: 'ClockAhead', retryable: true });
  await expect(jumped).rejects.toThrow('clock: () => Date.now()');
  expect((await app.status()).position).toBe(1);
  vi.useRealTimers();
  await app.execute(createService, { service_id: 's2' });
  vi.setSystemTime(Date.now() + YEAR);
  await using test = await open({ store, ...parts, clock: () => Date.now() });
  expect((await test.execute(createService, { service_id: 's3' })).status).toBe('succeeded');
});

const database = testDatabase();

test('on postgres the clock given to open is the application’s alone: the database knows what time it is', async () => {
  await using app = await open({ store: database.store(), ...parts, clock: () => START });
  const { events } = await app.execute(createService, { service_id: 's1' });
  expect(events[0]!.time).toBe(START);
  expect(Math.abs(events[0]!.recordedAt - Date.now())).toBeLessThan(MINUTE);
});
