/**
 * Documents that a server has in memory were folded from stored ones. A rebuild, which replaces these, takes none of them; and from
 * the swap on nothing is read or decided by them, on no server (law 4).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { onLocalStores } from '../support/stores.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { place, theatre, type TheatreApp } from '../support/theatre.ts';

/** The reducers of the first one were mended in the second, without a raise. */
const [wrong, mended] = [theatre(), theatre({ counts: 10 })];
const IDS = ['s0', 's1', 's2'];

async function written(app: TheatreApp): Promise<void> {
  for (let n = 0; n < IDS.length; n += 1) await app.execute(wrong.book, place(n));
  await settled(app);
}

const times = (documents: readonly { readonly state: { readonly times: number } }[]): readonly number[] =>
  documents.map(({ state }) => state.times);

onLocalStores('documents in memory and a rebuild', (makeStore) => {
  test('a rebuild folds what was read before it, and what is read after it was folded again', async () => {
    const store = makeStore();
    const first = await opened(wrong, { store });
    await written(first);
    await first.close();
    const app = await opened(mended, { store });
    expect((await app.get(mended.seats, 's0')).state.times).toBe(1);
    expect(await app.rebuild(mended.seats)).toMatchObject({ documents: 3, different: 3, swapped: true });
    expect(times((await app.find(mended.seats)).documents)).toEqual([10, 10, 10]);
    expect(times(await app.get(mended.seats, IDS))).toEqual([10, 10, 10]);
    // A command decides on it, and its events are folded on top of it.
    await app.execute(mended.put, { events: [{ type: 'BOOKED', ...place(0) }] });
    expect((await app.get(mended.seats, 's0')).state.times).toBe(20);
    await expectReduced(app, mended.seats);
    const again = await opened(mended, { store });
    expect(times(await again.get(mended.seats, IDS))).toEqual([20, 10, 10]);
  });

  test('another server that has them in memory reads and decides by those that were folded again', async () => {
    const store = makeStore();
    const first = await opened(wrong, { store });
    await written(first);
    await first.close();
    const [one, other] = [await opened(mended, { store }), await opened(mended, { store })];
    expect(times(await other.get(mended.seats, IDS))).toEqual([1, 1, 1]);
    await one.rebuild(mended.seats);
    expect(times(await other.get(mended.seats, IDS))).toEqual([10, 10, 10]);
    await other.execute(mended.put, { events: [{ type: 'BOOKED', ...place(1) }] });
    expect((await other.get(mended.seats, 's1')).state.times).toBe(20);
    await expectReduced(other, mended.seats);
  });
});

onLocalStores('loads under way and a rebuild', (makeStore) => {
  test('a load that began before the swap, and a batch that was decided before it, put nothing back', async () => {
    const held = { loads: false, appends: false };
    const waiting: (() => void)[] = [];
    const hold = (isHeld: boolean): Promise<void> =>
      isHeld ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve();
    const plain = makeStore();
    const store = changedStore(plain, (session) => ({
      load: async (requests, options) => {
        const loaded = await session.load(requests, options);
        await hold(held.loads && requests.some(({ set }) => set !== undefined));
        return loaded;
      },
      append: async (batch) => {
        const appended = await session.append(batch);
        await hold(held.appends);
        return appended;
      },
    }));
    const first = await opened(wrong, { store });
    await written(first);
    await first.close();
    const app = await opened(mended, { store });
    // This one is in memory: the batch decides on it.
    await app.get(mended.seats, 's1');
    Object.assign(held, { loads: true, appends: true });
    const reading = app.get(mended.seats, 's0');
    const deciding = app.execute(mended.put, { events: [{ type: 'BOOKED', ...place(1) }] });
    const refused = app.execute(mended.book, place(1));
    while (waiting.length < 2) await sleep(5);
    const other = await opened(mended, { store: plain });
    await other.rebuild(mended.seats);
    await app.rebuild(mended.seats, { dryRun: true });
    Object.assign(held, { loads: false, appends: false });
    for (const go of waiting) go();
    await Promise.all([deciding, refused]);
    expect((await reading).state.times).toBe(10);
    expect(times(await app.get(mended.seats, IDS))).toEqual([10, 20, 10]);
    await expectReduced(app, mended.seats);
  });
});
