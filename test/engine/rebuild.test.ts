/** A rebuild folds a collection again beside the live documents, and says which came out different: those that are, and no others. */
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable } from 'tidemark';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import type { SetStep, Session } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { place, theatre } from '../support/theatre.ts';

const house = theatre({ hasRooms: true });

/** A store where `keeps` says whether a step is refused, or gives another one that is stored instead. */
function stepping(keeps: (step: SetStep, session: Session) => Promise<SetStep | undefined> | SetStep | undefined) {
  return changedStore(memory(), (session) => ({
    advance: async (step) => {
      const kept = await keeps(step, session);
      if (!kept) throw new StoreUnavailable('Not now.');
      return session.advance(kept);
    },
  }));
}

const never = (): Promise<never> => new Promise(() => undefined);

async function liveSet(session: Pick<Session, 'registry'>, collection = 'seats'): Promise<number> {
  const { definitions } = await session.registry();
  return definitions.find((one) => one.collection === collection)!.set;
}

test('documents that the live ones don’t have yet aren’t different: it waits for them', async () => {
  const state = { isHeld: false };
  const store = stepping(async (step, session) => {
    return state.isHeld && step.set === (await liveSet(session)) ? undefined : step;
  });
  const app = await opened(house, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(house.book, place(n));
  await settled(app);
  state.isHeld = true;
  for (let n = 5; n < 10; n += 1) await app.execute(house.book, place(n));
  setTimeout(() => (state.isHeld = false), 700);
  expect(await app.rebuild(house.seats)).toEqual({ documents: 10, different: 0, examples: [], swapped: true });
  await expectReduced(app, house.seats);
});

test('a document that can’t be folded on isn’t different from the live one that only hasn’t come there yet', async () => {
  const state = { isHeld: false };
  const store = stepping(async (step, session) => {
    return state.isHeld && step.set === (await liveSet(session)) ? undefined : step;
  });
  const strict = theatre({ hasRooms: true, fails: (guest) => guest === 'nobody' });
  const app = await opened(strict, { store });
  await app.execute(strict.book, place(0));
  await settled(app);
  state.isHeld = true;
  const lenient = await opened(house, { store, reduction: 'off' });
  await lenient.execute(house.put, { events: [{ type: 'BOOKED', ...place(0), guest_id: 'nobody' }] });
  await app.status();
  setTimeout(() => (state.isHeld = false), 700);
  expect(await app.rebuild(strict.seats)).toEqual({ documents: 1, different: 0, examples: [], swapped: true });
  expect((await app.status()).reduction.failed).toMatchObject([{ collection: 'seats', id: 's0' }]);
});

test('live documents that can’t be moved on any more are replaced, and those of others don’t matter', async () => {
  const state = { isHeld: false };
  const stuck = new Set<number>();
  const store = stepping((step) => (state.isHeld && stuck.has(step.set) ? undefined : step));
  const app = await opened(house, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(house.book, place(n));
  await settled(app);
  const session = await store.open();
  for (const collection of ['seats', 'rooms']) stuck.add(await liveSet(session, collection));
  state.isHeld = true;
  for (let n = 5; n < 10; n += 1) await app.execute(house.book, place(n));
  // They have been tried again and again.
  await sleep(600);
  const found = await app.rebuild(house.seats);
  expect(found).toMatchObject({ documents: 10, different: 5, swapped: true });
  expect(found.examples.map(({ id }) => id).sort()).toEqual(['s5', 's6', 's7', 's8', 's9']);
  expect((await app.find(house.seats)).documents).toHaveLength(10);
  state.isHeld = false;
  await expectReduced(app, house.rooms);
});

test('a document that is stored wrongly, is missing, or has no events, is named, and mended', async () => {
  const store = stepping((step) => step);
  const app = await opened(house, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(house.book, place(n));
  await settled(app);
  const session = await store.open();
  const set = await liveSet(session);
  const { place: from, documents } = (await session.stored({ set, ids: ['s1', 's2'] }))!;
  const { generation } = await session.registry();
  const first = documents.find(({ id }) => id === 's1')!;
  const wrong = { ...first, state: '{"n":7}' };
  const added = { ...wrong, id: 'nobody', version: 3 };
  const places = { from, to: from, seen: from };
  const step = { set, generation, ...places, documents: [wrong, added], dropped: [], added: [] };
  expect(await session.advance(step)).toBe('stored');
  const examples = [
    { id: 's1', stored: 1, rebuilt: 1 },
    { id: 'nobody', stored: 3, rebuilt: 0 },
  ];
  const began = performance.now();
  expect(await app.rebuild(house.seats, { dryRun: true })).toEqual({
    documents: 5,
    different: 2,
    examples,
    swapped: false,
  });
  // Both sets are at one place: there is nothing to wait for.
  expect(performance.now() - began).toBeLessThan(1_500);
  expect(await app.rebuild(house.seats)).toEqual({ documents: 5, different: 2, examples, swapped: true });
  expect(await app.rebuild(house.seats)).toEqual({ documents: 5, different: 0, examples: [], swapped: true });
  await expectReduced(app, house.seats);
});

test('what onProgress throws or rejects with ends a rebuild, and nothing is changed; one that never answers holds nothing up', async () => {
  const store = memory();
  const app = await opened(house, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(house.book, place(n));
  await settled(app);
  const session = await store.open();
  const set = await liveSet(session);
  const reason = new Error('not now');
  const throwing = (): never => {
    throw reason;
  };
  const rejecting = async (): Promise<never> => Promise.reject(reason);
  // Only what is told last.
  const comparing = async ({ work }: { readonly work: string }): Promise<void> => {
    if (work === 'comparing') throw reason;
  };
  for (const onProgress of [throwing, rejecting, comparing])
    await expect(app.rebuild(house.seats, { onProgress })).rejects.toBe(reason);
  expect(await liveSet(session)).toBe(set);
  expect(await app.rebuild(house.seats, { onProgress: never })).toMatchObject({ documents: 5, swapped: true });
  expect(await liveSet(session)).not.toBe(set);
  await session.close();
});
