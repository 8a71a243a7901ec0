/** Sets that are far behind at one place are made together, and what becomes of one is nothing to the others. */
import { StoreUnavailable } from 'tidemark';
import { expect, test } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { onLocalStores } from '../support/stores.ts';
import { filled, theatre } from '../support/theatre.ts';

const EVENTS = 12_000;
const house = theatre({ hasRooms: true, indexes: ['times'] });

/** A log that nobody has reduced. */
async function unreduced(store: Store): Promise<Store> {
  const writer = await opened(house, { store, reduction: 'off' });
  await filled(writer, house, EVENTS);
  await writer.close();
  return store;
}

onLocalStores('sets made together', (makeStore) => {
  test('each page of the log is read once', async () => {
    const pages = new Map<number, number>();
    const counting = changedStore(await unreduced(makeStore()), (session) => ({
      scan(range) {
        pages.set(range.after ?? 0, (pages.get(range.after ?? 0) ?? 0) + 1);
        return session.scan(range);
      },
    }));
    const app = await opened(house, { store: counting });
    await settled(app);
    const early = [...pages].filter(([after]) => after < EVENTS - 1_000);
    expect(early.length).toBeGreaterThan(20);
    expect(early.filter(([, times]) => times > 1)).toEqual([]);
    await expectReduced(app, house.seats);
    await expectReduced(app, house.rooms);
  });

  test('one that can’t be stored for a while doesn’t hold the other up, and is made later', async () => {
    let [failing, isAway] = [0, true];
    const store = changedStore(await unreduced(makeStore()), (session) => ({
      async advance(step) {
        failing ||= step.set;
        if (isAway && step.set === failing) throw new StoreUnavailable('This set can’t be stored for now.', {});
        return session.advance(step);
      },
    }));
    const app = await opened(house, { store, limits: { rebuildingWaitMs: 1_000 } });
    const counts = await Promise.allSettled([app.count(house.seats), app.count(house.rooms)]);
    expect(counts.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect((await app.status()).reduction.errors).toMatchObject([{ code: 'StoreUnavailable' }]);
    isAway = false;
    await expectReduced(app, house.seats);
    await expectReduced(app, house.rooms);
  });
});
