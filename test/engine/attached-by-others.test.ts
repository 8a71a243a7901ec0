/** Old events are attached by the key that is registered, whichever release does it: an older one knows fewer types of it. */
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import type { Store } from 'tidemark';
import { changedStore } from '../faults/over-session.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { place, theatre, type Place } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const first = theatre();
const newer = theatre({ definition: 2, key: { BOOKED: 'room_id', CANCELLED: 'room_id' } });
const older = theatre({ definition: 2, key: { BOOKED: 'room_id' }, handled: ['BOOKED'] });

/** A server of the newer release has registered, and goes before it has attached anything. */
async function registered(release: typeof newer, store: Store): Promise<void> {
  const idle = changedStore(store, () => ({ exclusive: () => new Promise<never>(() => undefined) }));
  await (await opened(release, { store: idle })).close({ timeout: 1 });
}

async function begun(): Promise<Store> {
  const store = memory();
  const app = await opened(first, { store });
  for (let n = 0; n < 20; n += 1) {
    await app.execute(first.put, { events: [{ type: n % 3 === 0 ? 'CANCELLED' : 'BOOKED', ...place(n) }] });
  }
  return store;
}

test('types of the key that this release doesn’t know are attached too', async () => {
  const store = await begun();
  await registered(newer, store);
  const app = await opened(older, { store });
  await settled(app);
  await expectReduced(app, older.seats);
  const after = await opened(newer, { store });
  await expectReduced(after, newer.seats);
  expect((await after.get(newer.seats, 'r0')).version).toBe(3);
});

test('what a function attaches is left to those who have it', async () => {
  const store = await begun();
  const key = { BOOKED: 'room_id', CANCELLED: ({ room_id }: Place) => room_id };
  const calling = theatre({ definition: 2, key });
  const idle = changedStore(store, () => ({ exclusive: () => new Promise<never>(() => undefined) }));
  const opening = opened(calling, { store: idle, definitions: 'before' });
  opening.catch(() => undefined);
  const session = await store.open();
  await until(async () => (await session.registry()).keyings.some(({ state }) => state === 'filling'));
  const app = await opened(older, { store });
  await until(async () => (await app.status()).making.some(({ error }) => error?.code === 'DomainOutdated'));
  expect((await session.registry()).keyings.find(({ state }) => state === 'filling')).toMatchObject({ filled: 0 });
  const after = await opened(calling, { store, definitions: 'before' });
  await expectReduced(after, calling.seats);
  expect((await after.get(calling.seats, 'r0')).version).toBe(3);
});
