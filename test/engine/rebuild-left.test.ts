/** Rebuilds whose process has ended are gone on with by another; and of several calls, none spoils what another does. */
import { expect, test } from 'vitest';
import type { Store } from 'tidemark';
import type { Session } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { onLocalStores } from '../support/stores.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { place, theatre } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const [wrong, mended] = [theatre(), theatre({ counts: 10, indexes: ['times'] })];

const isSecond = async (session: Session, set: number): Promise<boolean> =>
  (await session.registry()).definitions.some(({ rebuilt }) => rebuilt === set);

/** A store where second sets don't move on while it is held. */
function holding(store: Store): { readonly store: Store; readonly held: { isHeld: boolean } } {
  const held = { isHeld: true };
  return {
    held,
    store: changedStore(store, (session) => ({
      advance: async (step) => (held.isHeld && (await isSecond(session, step.set)) ? 'moved' : session.advance(step)),
    })),
  };
}

async function written(store: Store): Promise<void> {
  const app = await opened(wrong, { store });
  for (let n = 0; n < 5; n += 1) await app.execute(wrong.book, place(n));
  await settled(app);
  await app.close();
}

async function definitionOn(store: Store) {
  const session = await store.open();
  const { definitions } = await session.registry();
  await session.close();
  return definitions[0]!;
}

const FOUND = { documents: 5, different: 5, swapped: true };

onLocalStores('a rebuild whose process has ended', (makeStore) => {
  test('is gone on with by a server that runs, shown by status, and not begun anew', async () => {
    const store = makeStore();
    await written(store);
    const { store: slow } = holding(store);
    const app = await opened(mended, { store: slow });
    const rebuilding = app.rebuild(mended.seats);
    const closed = rebuilding.catch((error: unknown) => error);
    await until(async () => (await definitionOn(store)).rebuilt !== undefined);
    const { set, rebuilt } = await definitionOn(store);
    await until(async () => (await app.status()).making.length > 0);
    const shown = { collection: 'seats', definition: 1, work: 'rebuilding', done: 0, total: 5, rate: 0 };
    expect((await app.status()).making).toEqual([expect.objectContaining(shown)]);
    await app.close();
    expect(await closed).toMatchObject({ code: 'Closed' });
    const next = await opened(mended, { store });
    // Nobody waits for it.
    expect((await next.find(mended.seats)).documents).toHaveLength(5);
    expect((await next.status()).making).toMatchObject([{ work: 'rebuilding' }]);
    await until(async () => (await definitionOn(store)).set !== set);
    expect(await definitionOn(store)).toMatchObject({ set: rebuilt });
    await settled(next);
    expect((await next.find(mended.seats, { where: { times: 10 } })).documents).toHaveLength(5);
    await expectReduced(next, mended.seats);
  });
});

onLocalStores('rebuilds that meet', (makeStore) => {
  test('one that only compares is dropped when its process has ended', async () => {
    const store = makeStore();
    await written(store);
    const { store: slow } = holding(store);
    const app = await opened(mended, { store: slow });
    const closed = app.rebuild(mended.seats, { dryRun: true }).catch((error: unknown) => error);
    await until(async () => (await definitionOn(store)).rebuilt !== undefined);
    const { set } = await definitionOn(store);
    await app.close();
    expect(await closed).toMatchObject({ code: 'Closed' });
    const next = await opened(mended, { store });
    await until(async () => (await definitionOn(store)).rebuilt === undefined);
    expect((await definitionOn(store)).set).toBe(set);
    expect(await next.rebuild(mended.seats)).toMatchObject(FOUND);
  });

  test('calls of several processes are one rebuild: all are told what it found', async () => {
    const store = makeStore();
    await written(store);
    const { store: slow, held } = holding(store);
    const [one, other] = [await opened(mended, { store: slow }), await opened(mended, { store: slow })];
    const { last } = await lastOf(store);
    const calls = [one.rebuild(mended.seats), one.rebuild(mended.seats), other.rebuild(mended.seats)];
    await until(async () => (await definitionOn(store)).rebuilt !== undefined);
    setTimeout(() => (held.isHeld = false), 300);
    const found = await Promise.all(calls);
    for (const each of found) expect(each).toEqual({ ...found[0], ...FOUND });
    // One set, and one index of it.
    expect((await lastOf(store)).last - last).toBe(2);
    await expectReduced(other, mended.seats);
  });

  test('one that only compares, or is ended, takes no other’s set away', async () => {
    const store = makeStore();
    await written(store);
    const { store: slow, held } = holding(store);
    const [one, other] = [await opened(mended, { store: slow }), await opened(mended, { store: slow })];
    const halt = new AbortController();
    const first = other.rebuild(mended.seats, { signal: halt.signal });
    const ended = first.catch((error: unknown) => error);
    await until(async () => (await definitionOn(store)).rebuilt !== undefined);
    const dry = one.rebuild(mended.seats, { dryRun: true });
    const real = one.rebuild(mended.seats);
    // The one that is ended is that which sees to it; then one that waits for it.
    const waiting = new AbortController();
    const unseen = one.rebuild(mended.seats, { signal: waiting.signal });
    const gone = unseen.catch((error: unknown) => error);
    waiting.abort(new Error('too long'));
    expect(await gone).toMatchObject({ message: 'too long' });
    halt.abort(new Error('enough'));
    expect(await ended).toMatchObject({ message: 'enough' });
    held.isHeld = false;
    const compared = await dry;
    expect(compared).toMatchObject({ documents: 5, swapped: false });
    expect(await real).toMatchObject({ documents: 5, swapped: true });
    expect((await definitionOn(store)).rebuilt).toBeUndefined();
    await expectReduced(one, mended.seats);
    await expectReduced(other, mended.seats);
  });
});

async function lastOf(store: Store): Promise<{ readonly last: number }> {
  const session = await store.open();
  const registry = await session.registry();
  await session.close();
  return registry;
}
