/** A definition that another server retires while this one reads by it: what was attached by it goes, and nothing is read short. */
import type { OpenOptions } from 'tidemark';
import { expect, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { opened, settled } from '../support/opened-theatre.ts';
import { collect, onLocalStores } from '../support/stores.ts';
import { filled, place, theatre } from '../support/theatre.ts';

const old = theatre();
const byRoom = theatre({ definition: 2, key: '{room_id}/{seat_id}' });
const retired = { definitions: 'before', retired: [{ collection: 'seats', definition: 1 }] } as const;
const outdated = { code: 'DomainOutdated', details: { collection: 'seats', definition: 1 } };
const EVENTS = 2_500;

type Store = OpenOptions<[], []>['store'];

async function retire(store: Store): Promise<void> {
  const after = await opened(byRoom, { store, ...retired });
  await settled(after);
}

onLocalStores('a definition that is retired under a running server', (makeStore) => {
  test.each(['background', 'off'] as const)(
    'a history, a fold and whoever follows say so (reduction: %s)',
    async (reduction) => {
      const store = makeStore();
      const before = await opened(old, { store, reduction });
      await filled(before, old, EVENTS);
      const following = before.history(old.seats, 's1', { follow: true, after: 5 });
      const begun = following.next();
      // Its server may hear of it before it is looked at.
      begun.catch(() => undefined);
      const events = before.events({ follow: true, after: EVENTS });
      const next = events.next();
      expect(await collect(before.history(old.seats, 's1', { after: 4 }))).toMatchObject([{ position: 2_002 }]);
      const after = await opened(byRoom, { store, ...retired });
      await settled(after);
      for (const options of [{}, { after: 2 }, { after: 5 }, { limit: 1 }, { follow: true }] as const)
        await expect(collect(before.history(old.seats, 's1', options))).rejects.toMatchObject(outdated);
      const point = { position: 0, hash: '0'.repeat(64) };
      await expect(collect(before.history(old.seats, 's1', { after: point }))).rejects.toMatchObject(outdated);
      await expect(before.fold(old.seats)).rejects.toMatchObject(outdated);
      for (const at of [undefined, { version: 1 }, { position: 3 }, { time: 1 }])
        await expect(before.get(old.seats, 's1', at)).rejects.toMatchObject(outdated);
      // The events of the log are the same for all.
      await after.execute(byRoom.put, { events: [{ type: 'BOOKED', ...place(1) }] });
      await expect(begun).rejects.toMatchObject(outdated);
      expect((await next).value).toMatchObject({ position: EVENTS + 1 });
      await events.return?.();
    },
  );

  test('a history that had begun doesn’t end early', async () => {
    const plain = makeStore();
    let isTime = true;
    const store = changedStore(plain, (session) => ({
      read: async (range, options) => {
        if (isTime && 'document' in range && range.after > 0) {
          isTime = false;
          await retire(plain);
        }
        return session.read(range, options);
      },
    }));
    const before = await opened(old, { store, reduction: 'off' });
    const events = Array.from({ length: 1_000 }, () => ({ type: 'BOOKED' as const, ...place(1) }));
    await before.execute(old.put, { events });
    await expect(collect(before.history(old.seats, 's1'))).rejects.toMatchObject(outdated);
    expect(isTime).toBe(false);
  });

  test('a fold that had begun isn’t one of half the events', async () => {
    const plain = makeStore();
    let isTime = false;
    const store = changedStore(plain, (session) => ({
      scan: async (range, options) => {
        if (isTime && (range.after ?? 0) >= 500) {
          isTime = false;
          await retire(plain);
        }
        return session.scan(range, options);
      },
    }));
    const before = await opened(old, { store, reduction: 'off' });
    await filled(before, old, EVENTS);
    isTime = true;
    await expect(before.fold(old.seats)).rejects.toMatchObject(outdated);
    expect(isTime).toBe(false);
  });

  test('one who follows slowly, and finds what came since kept by another, is told as well', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 1_000);
    const all = before.events({ follow: true, after: 1_000 });
    const slow = before.history(old.seats, 's1', { follow: true, after: 2 });
    const first = slow.next();
    const next = all.next();
    await before.execute(old.put, { events: [{ type: 'BOOKED', ...place(1) }] });
    expect((await first).value).toMatchObject({ position: 1_001 });
    await next;
    const another = all.next();
    await retire(store);
    const after = await opened(byRoom, { store });
    await after.execute(byRoom.put, { events: [{ type: 'BOOKED', ...place(1) }] });
    expect((await another).value).toMatchObject({ position: 1_002 });
    await expect(slow.next()).rejects.toMatchObject(outdated);
    await all.return?.();
  });

  test('a server that opens the definition again reads on: it is made anew', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 1_000);
    await retire(store);
    await opened(old, { store, definitions: 'before' });
    expect(await collect(before.history(old.seats, 's1'))).toHaveLength(2);
    expect((await before.fold(old.seats)).size).toBe(500);
  });
});
