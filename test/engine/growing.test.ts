/** An application that grows while it runs: new collections over an old log, raised definitions, releases side by side. */
import { openOn } from '../../src/engine/open.ts';
import { USED_MS, UNUSED_MS } from '../../src/engine/registry/retiring.ts';
import type { Progress } from '../../src/engine/registry/readiness.ts';
import { machineRuntime } from '../../src/engine/runtime.ts';
import type { AttachedPage, Locked } from '../../src/store/store.ts';
import { domain, event, open, type, type Store } from 'tidemark';
import { expect, onTestFinished, test } from 'vitest';
import { changedStore } from '../faults/over-session.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { filled, place, theatre, type TheatreApp } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const old = theatre();
const grown = theatre({ hasRooms: true });
const byRoom = theatre({ definition: 2, key: '{room_id}/{seat_id}' });
const counting = theatre({ definition: 2, counts: 10 });
const both = theatre({ definition: 2, key: '{room_id}/{seat_id}', counts: 10 });

const never = (): Promise<never> => new Promise(() => undefined);

/** Lets nothing be attached before `go`; keeps what was. */
function gated(store: Store): Store & { go: () => void; readonly pages: AttachedPage[] } {
  const gate = Promise.withResolvers<void>();
  const pages: AttachedPage[] = [];
  const watched = changedStore(store, (session) => ({
    async exclusive(work, options) {
      let isClosed = true;
      void gate.promise.then(() => (isClosed = false));
      await Promise.resolve();
      if (isClosed) await Promise.race([gate.promise, closed.promise]);
      return session.exclusive(
        (locked: Locked) =>
          work({
            ...locked,
            attach: async (page) => {
              const attached = await locked.attach(page);
              if (attached === 'stored') pages.push(page);
              return attached;
            },
          }),
        options,
      );
    },
    async close(closing) {
      closed.resolve();
      await session.close(closing);
    },
  }));
  const closed = Promise.withResolvers<void>();
  return { ...watched, go: () => gate.resolve(), pages };
}

/** What a newer release takes for ids are lists and anything to the older one. */
function tagShop(hasTags: boolean) {
  const house = domain({ events: { SOLD: type<{ x: string; tags: readonly string[]; shelf: string }>() } });
  const counted = { initial: { n: 0 }, reduce: { SOLD: ({ n }: { n: number }) => ({ n: n + 1 }) } };
  const things = house.collection('things', { key: 'x', ...counted });
  const tagged = house.collection('tagged', { key: { SOLD: 'tags' }, ...counted });
  const shelves = house.collection('shelves', { key: 'shelf', ...counted });
  const slots = house.collection('slots', { key: '{x}/{shelf}', ...counted });
  const sell = house.command('SELL', {
    input: type<{ x: string; count: number; shelf: string; events?: number }>(),
    decide: (_, { x, count, shelf, events = 1 }) => {
      const tags = Array.from({ length: count }, (_none, n) => `t${n}`);
      return Array.from({ length: events }, () => ({ type: 'SOLD' as const, x, tags, shelf }));
    },
  });
  const collections = hasTags ? [things, tagged, shelves, slots] : [things];
  return { things, tagged, sell, parts: { collections, commands: [sell] } };
}

onLocalStores('a new collection over an old log', (makeStore) => {
  test('is made while the old release goes on; who needs it waits, and then sees all', async () => {
    const plain = makeStore();
    const before = await opened(old, { store: plain });
    await filled(before, old, 2_500);
    const store = gated(plain);
    const after = await opened(grown, { store });
    const reading = after.get(grown.rooms, ['r0', 'r1']);
    const found = after.find(grown.rooms);
    const history = collect(after.history(grown.rooms, 'r3', { limit: 3 }));
    const executed = after.execute(grown.bookIn, { ...place(7), capacity: 5 });
    // What is ready is served.
    expect((await after.execute(grown.book, place(600))).status).toBe('succeeded');
    expect(await after.get(grown.seats, 's600')).toMatchObject({ version: 1 });
    const { events } = await before.execute(old.book, place(601));
    expect(events[0]!.attachments).toEqual([{ collection: 'seats', id: 's601', version: 1 }]);
    const making = { collection: 'rooms', definition: 1, work: 'attaching', done: 0, total: expect.any(Number) };
    expect((await after.status()).making).toContainEqual(expect.objectContaining(making));
    store.go();
    const position = (await after.status()).position;
    expect(position).toBeGreaterThanOrEqual(2_502);
    const sum = (await reading).reduce((all, { state }) => all + state.booked, 0);
    expect(sum).toBeGreaterThan(700);
    expect((await found).documents).toHaveLength(7);
    expect((await history).map(({ position: at }) => at)).toEqual([4, 11, 18]);
    expect(await executed).toMatchObject({ status: 'failed', reason: 'FULL' });
    // From now on the old release attaches for it as well.
    const more = await before.execute(old.book, place(602));
    expect(await after.get(grown.rooms, 'r0')).toMatchObject({
      state: { booked: (await after.fold(grown.rooms)).get('r0')!.state.booked },
    });
    expect(more.status).toBe('succeeded');
    await expectReduced(after, grown.rooms);
    await expectReduced(after, grown.seats);
    await expectReduced(before, old.seats);
  });

  test('events of many documents are attached in portions, each of a few thousand ids', async () => {
    const shop = domain({ events: { TAGGED: type<{ item: string; tags: readonly string[] }>() } });
    const items = shop.collection('items', {
      key: 'item',
      initial: { n: 0 },
      reduce: { TAGGED: ({ n }) => ({ n: n + 1 }) },
    });
    const tags = shop.collection('tags', {
      key: 'tags',
      initial: { n: 0 },
      reduce: { TAGGED: ({ n }) => ({ n: n + 1 }) },
    });
    const many = shop.command('TAG', {
      input: type<{ from: number }>(),
      decide: (_, { from }) =>
        Array.from({ length: 50 }, (_, event) => ({
          type: 'TAGGED' as const,
          item: `i${event}`,
          tags: Array.from({ length: 150 }, (_, n) => `t${(from + event * 7 + n) % 400}`),
        })),
    });
    const plain = makeStore();
    {
      await using app = await open({ store: plain, collections: [items], commands: [many], logger: keepingLogger() });
      for (const from of [0, 100, 200]) await app.execute(many, { from });
    }
    const store = gated(plain);
    store.go();
    const options = { collections: [items, tags], commands: [many], logger: keepingLogger() };
    await using app = await open({ store, ...options });
    await until(async () => (await app.status()).making.length === 0);
    const counts = store.pages.map(({ attachments }) => attachments.reduce((sum, { ids }) => sum + ids.length, 0));
    expect(counts.reduce((sum, count) => sum + count)).toBe(150 * 150);
    // The last one comes with what was found under the lock.
    expect(Math.max(...counts)).toBeLessThanOrEqual(8_000);
    expect(counts.length).toBeGreaterThan(3);
    expect(store.pages.map(({ live }) => live)).toEqual([...counts.slice(1).map(() => false), true]);
    expect((await app.verify()).problems).toEqual([]);
    expect((await app.get(tags, 't0')).version).toBe((await app.fold(tags)).get('t0')!.version);
  });

  test('whoever waits too long is told how far it is, and nothing was recorded', async () => {
    const plain = makeStore();
    const before = await opened(old, { store: plain });
    await filled(before, old, 1_200);
    const app = await opened(grown, { store: gated(plain), limits: { rebuildingWaitMs: 50 } });
    const { position } = await app.status();
    const rebuilding = {
      code: 'Rebuilding',
      retryable: true,
      message: expect.stringContaining('rooms'),
      details: { collection: 'rooms', definition: 1, work: 'attaching', done: 0, total: 1_200 },
    };
    const calls: readonly (() => Promise<unknown>)[] = [
      () => app.get(grown.rooms, 'r0'),
      () => app.find(grown.rooms),
      () => app.count(grown.rooms),
      () => collect(app.list(grown.rooms)),
      () => collect(app.history(grown.rooms, 'r0')),
      () => app.fold(grown.rooms),
      () => app.execute(grown.bookIn, { ...place(1), capacity: 5 }, { id: 'waits' }),
      () => app.watch(grown.rooms, {}).next(),
      () => app.rebuild(grown.rooms),
    ];
    for (const [n, call] of calls.entries()) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      expect([n, error]).toEqual([n, expect.objectContaining(rebuilding)]);
    }
    expect(await app.outcome('waits')).toBeUndefined();
    expect((await app.status()).position).toBe(position);
    // Others don't wait for it.
    expect((await app.execute(grown.book, place(700))).status).toBe('succeeded');
  });

  test("with definitions: 'before' open returns when it is ready, and says how far it is", async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 3_000);
    const told: Progress[] = [];
    const app = await opened(grown, { store, definitions: 'before', onProgress: (one) => void told.push(one) });
    expect((await app.status()).making).toEqual([]);
    expect((await app.find(grown.rooms, { fresh: false })).documents).toHaveLength(7);
    expect(told.length).toBeGreaterThan(0);
    for (const { collection, work, done, total, rate } of told) {
      expect(['rooms', 'seats']).toContain(collection);
      expect(['attaching', 'folding', 'indexing']).toContain(work);
      expect(done).toBeLessThanOrEqual(Math.max(total, done));
      expect(rate).toBeGreaterThanOrEqual(0);
    }
    const attaching = told.filter(({ work }) => work === 'attaching').map(({ done }) => done);
    expect(attaching).toEqual(attaching.toSorted((one, other) => one - other));
    await expectReduced(app, grown.rooms);
  });

  test('what onProgress throws ends open, and the next one goes on', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 3_000);
    const reason = new Error('not now');
    const onProgress = (): never => {
      throw reason;
    };
    await expect(opened(grown, { store, definitions: 'before', onProgress })).rejects.toBe(reason);
    const app = await opened(grown, { store, definitions: 'before' });
    await expectReduced(app, grown.rooms);
  });

  test('what onProgress rejects with ends open as well; one that never answers holds nothing up', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 3_000);
    const reason = new Error('not now');
    const onProgress = async (): Promise<never> => Promise.reject(reason);
    await expect(opened(grown, { store, definitions: 'before', onProgress })).rejects.toBe(reason);
    const app = await opened(grown, { store, definitions: 'before', onProgress: never });
    await expectReduced(app, grown.rooms);
  });

  test('two servers fill it at once, and nothing is attached twice', async () => {
    const plain = makeStore();
    const before = await opened(old, { store: plain });
    await filled(before, old, 5_000);
    const stores = [gated(plain), gated(plain)];
    for (const store of stores) store.go();
    const servers = await Promise.all(stores.map((store) => opened(grown, { store })));
    await Promise.all(servers.map(settled));
    const places = stores.flatMap(({ pages }) => pages.map(({ from }) => from));
    expect(new Set(places).size).toBe(places.length);
    expect(stores.flatMap(({ pages }) => pages.filter(({ live }) => live))).toHaveLength(1);
    for (const app of servers) await expectReduced(app, grown.rooms);
  });

  test('key map of types that the log never held: opens at once, and is there', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 100);
    const shop = domain({ events: { PAID: type<{ bill_id: string }>() } });
    const bills = shop.collection('bills', {
      key: { PAID: 'bill_id' },
      initial: { n: 0 },
      reduce: { PAID: ({ n }) => ({ n: n + 1 }) },
    });
    const pay = shop.command('PAY', {
      input: type<{ bill_id: string }>(),
      decide: (_, input) => ({ type: 'PAID', ...input }),
    });
    await using app = await open({
      store,
      collections: [bills],
      commands: [pay],
      definitions: 'refuse',
      logger: keepingLogger(),
    });
    await app.execute(pay, { bill_id: 'b1' });
    expect(await app.get(bills, 'b1')).toMatchObject({ version: 1, state: { n: 1 } });
    // The old release attaches nothing it doesn't know, and still writes.
    expect((await before.execute(old.book, place(900))).status).toBe('succeeded');
  });

  test('events in which something else stands where an id is needed are counted', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 10);
    for (const room_id of [5, '', 'x'.repeat(2_000)] as never[])
      await before.execute(old.put, { events: [{ type: 'BOOKED', ...place(1), room_id }] });
    const app = await opened(grown, { store, definitions: 'before' });
    expect((await app.status()).unattached).toBe(3);
    // And where the old release writes such a thing now.
    await before.execute(old.put, { events: [{ type: 'BOOKED', ...place(1), room_id: 7 as never }] });
    expect((await before.status()).unattached).toBe(1);
    await expectReduced(app, grown.rooms);
  });

  test('another release’s key refuses nothing: its documents don’t count against limits, and what it takes for an id may be anything', async () => {
    const [former, newer] = [tagShop(false), tagShop(true)];
    const store = makeStore();
    await using before = await open({ store, ...former.parts, logger: keepingLogger() });
    const sold = async (input: { count: number; shelf: string; events?: number }) =>
      (await before.execute(former.sell, { x: 'pen', ...input })).status;
    const asked = [
      { count: 5_000, shelf: 's' },
      { count: 900, events: 6, shelf: 's' },
      { count: 1, shelf: 5 as never },
    ];
    for (const one of asked) expect(await sold(one)).toBe('succeeded');
    await using after = await open({ store, ...newer.parts, definitions: 'before', logger: keepingLogger() });
    for (const one of asked) expect(await sold(one)).toBe('succeeded');
    expect(await before.get(former.things, 'pen')).toMatchObject({ version: 16 });
    expect(await after.get(newer.tagged, ['t0', 't4999'])).toMatchObject([{ version: 16 }, { version: 2 }]);
    // Where they are its own they count.
    await expect(after.execute(newer.sell, { x: 'pen', count: 900, events: 6, shelf: 's' })).resolves.toMatchObject({
      status: 'failed',
      details: { name: 'LimitExceeded' },
    });
    expect((await after.verify()).ok).toBe(true);
  });

  test('an upcast that changes ids is found while old events are attached, and named', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 20);
    const house = domain({
      events: {
        BOOKED: event(type<{ seat_id: string; room_id: string; guest_id: string }>(), {
          version: 2,
          upcast: { 1: (stored) => ({ ...(stored as object), room_id: 'moved' }) as never },
        }),
      },
    });
    const rooms = house.collection('rooms', { key: 'room_id', initial: {}, reduce: { BOOKED: (state) => state } });
    await using app = await open({ store, collections: [rooms], commands: [], logger: keepingLogger() });
    await until(async () => (await app.status()).making[0]?.error !== undefined);
    expect((await app.status()).making[0]).toMatchObject({
      collection: 'rooms',
      error: {
        code: 'InvalidDefinition',
        message: expect.stringMatching(/upcast of BOOKED from version 1.*rooms.*position 1 /),
      },
    });
    await expect(
      open({ store, collections: [rooms], commands: [], definitions: 'before', logger: keepingLogger() }),
    ).rejects.toMatchObject({ code: 'InvalidDefinition' });
  });
});

onLocalStores('a raised definition', (makeStore) => {
  test('with other reducers: it is read and decided by at once, and each release sees its own', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 1_000);
    const after = await opened(counting, { store });
    expect(await after.get(counting.seats, 's1')).toMatchObject({ definition: 2, version: 2, state: { times: 20 } });
    expect(await before.get(old.seats, 's1')).toMatchObject({ definition: 1, version: 2, state: { times: 2 } });
    await after.execute(counting.put, { events: [{ type: 'CANCELLED', ...place(1) }] });
    expect((await before.execute(old.book, place(1))).status).toBe('succeeded');
    expect(await after.get(counting.seats, 's1')).toMatchObject({ version: 4, state: { times: 30 } });
    await expectReduced(after, counting.seats);
    await expectReduced(before, old.seats);
    // Versions count the same events: what was read by one may be named by the other.
    const read = await before.get(old.seats, 's2');
    expect(
      (await after.execute(counting.put, { events: [{ type: 'CANCELLED', ...place(2) }] }, { unchanged: [read] }))
        .status,
    ).toBe('succeeded');
    await expect(
      after.execute(counting.put, { events: [{ type: 'CANCELLED', ...place(2) }] }, { unchanged: [read] }),
    ).rejects.toMatchObject({ code: 'Conflict' });
  });

  test.each([
    ['with another key', byRoom],
    ['with another key and other reducers', both],
  ])('%s: old and new read, decide and write side by side, each by its own', async (_, release) => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 1_500);
    const after = await opened(release, { store });
    const made = after.get(release.seats, { room_id: 'r1', seat_id: 's1' } as never);
    expect((await before.execute(old.put, { events: [{ type: 'CANCELLED', ...place(1) }] })).status).toBe('succeeded');
    expect(await made).toMatchObject({ id: 'r1/s1', definition: 2 });
    await settled(after);
    // The same seat in another room is another document for the new release alone.
    const elsewhere = place(1, { room_id: 'r2' });
    expect((await after.execute(release.book, elsewhere)).status).toBe('succeeded');
    expect(await before.execute(old.book, elsewhere)).toMatchObject({ status: 'failed', reason: 'TAKEN' });
    expect((await after.execute(release.book, place(1))).status).toBe('succeeded');
    // Attachments are shown by the names and ids of the release that asks.
    const { events } = await after.execute(release.put, { events: [{ type: 'NOTED', ...place(1) }] });
    expect(events[0]!.attachments).toEqual([{ collection: 'seats', id: 'r1/s1', version: expect.any(Number) }]);
    const [last] = await collect(before.events({ reverse: true, limit: 1 }));
    expect(last!.attachments).toEqual([{ collection: 'seats', id: 's1', version: expect.any(Number) }]);
    const [again] = await collect(after.events({ reverse: true, limit: 1 }));
    expect(again!.attachments).toEqual(events[0]!.attachments);
    const history = await collect(after.history(release.seats, 'r1/s1'));
    expect(history.at(-1)!.position).toBe(events[0]!.position);
    const { version } = await after.get(release.seats, 'r1/s1');
    expect(history).toHaveLength(version);
    expect(await after.get(release.seats, 'r1/s1', { version: 1 })).toMatchObject({ version: 1 });
    // An id that was read by the other key is no ground.
    const foreign = await before.get(old.seats, 's1');
    await expect(
      after.execute(release.put, { events: [{ type: 'NOTED', ...place(1) }] }, { unchanged: [foreign] }),
    ).rejects.toMatchObject({ code: 'Conflict' });
    await expectReduced(after, release.seats);
    await expectReduced(before, old.seats);
  });

  test('law 5: each release decides by its own key, and sells nothing twice', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 10);
    const after = await opened(byRoom, { store, definitions: 'before' });
    const again = await opened(byRoom, { store });
    const before2 = await opened(old, { store });
    const taken = async (seat: number, apps: readonly [typeof before, typeof old][]): Promise<number> => {
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, (_, n) => {
          const [app, release] = apps[n % apps.length]!;
          return app.execute(release.book, place(seat, { guest_id: `g${n}` }));
        }),
      );
      return outcomes.filter(({ status }) => status === 'succeeded').length;
    };
    for (let seat = 1_000; seat < 1_010; seat += 1) {
      expect(
        await taken(seat, [
          [before, old],
          [before2, old],
        ]),
      ).toBe(1);
      expect(
        await taken(seat + 100, [
          [after, byRoom as typeof old],
          [again, byRoom as typeof old],
        ]),
      ).toBe(1);
      // Both look at the same place in the same room: the event is attached to both documents.
      expect(
        await taken(seat + 200, [
          [before, old],
          [after, byRoom as typeof old],
        ]),
      ).toBe(1);
    }
    await expectReduced(after, byRoom.seats);
    await expectReduced(before, old.seats);
  });

  test('an older release that handles fewer types runs beside, with documents of its own', async () => {
    const store = makeStore();
    const fewer = theatre({ handled: ['BOOKED'] });
    const now = await opened(old, { store });
    await filled(now, old, 100);
    const older = await opened(fewer, { store });
    await now.execute(old.put, { events: [{ type: 'CANCELLED', ...place(1) }] });
    expect(await older.get(fewer.seats, 's1')).toMatchObject({ version: 2, state: { guest: 'g1' } });
    expect(await now.get(old.seats, 's1')).toMatchObject({ version: 2, state: { guest: '' } });
    await expectReduced(older, fewer.seats);
    await expectReduced(now, old.seats);
  });

  test('an older release attaches events of a type that a newer one adds to the key meanwhile', async () => {
    const plain = makeStore();
    const before = await opened(old, { store: plain });
    await filled(before, old, 1_500);
    await before.close();
    const fewer = theatre({ definition: 2, key: { BOOKED: 'room_id' }, handled: ['BOOKED'] });
    const more = theatre({ definition: 2, key: { BOOKED: 'room_id', CANCELLED: 'room_id' } });
    const store = gated(plain);
    const older = await opened(fewer, { store });
    const newer = await opened(more, { store: gated(plain) });
    const cancelled = Array.from({ length: 30 }, (_, n) => ({ type: 'CANCELLED' as const, ...place(n) }));
    await newer.execute(more.put, { events: cancelled });
    await newer.close();
    store.go();
    await settled(older);
    expect(store.pages.reduce((sum, { attachments }) => sum + attachments.length, 0)).toBe(1_530);
    await expectReduced(older, fewer.seats);
    const again = await opened(more, { store: plain });
    await expectReduced(again, more.seats);
    expect((await again.get(more.seats, 'r1')).state).toMatchObject({ guest: '' });
  });

  test('retired under a running server: it stops, by name, whatever it is asked', async () => {
    const store = makeStore();
    const before = await opened(old, { store });
    await filled(before, old, 200);
    await settled(before);
    const watched = before.watch(old.seats, {});
    await watched.next();
    const next = watched.next();
    next.catch(() => undefined);
    const after = await opened(byRoom, {
      store,
      definitions: 'before',
      retired: [{ collection: 'seats', definition: 1 }],
    });
    const outdated = { code: 'DomainOutdated', retryable: false, details: { collection: 'seats', definition: 1 } };
    await expect(before.execute(old.book, place(900))).rejects.toMatchObject(outdated);
    await expect(before.get(old.seats, 's900')).rejects.toMatchObject(outdated);
    await expect(before.find(old.seats)).rejects.toMatchObject(outdated);
    expect((await after.execute(byRoom.book, place(900))).status).toBe('succeeded');
    // What is stored is looked at once something has happened.
    await expect(next).rejects.toMatchObject(outdated);
    await expectReduced(after, byRoom.seats);
    expect(await after.count(byRoom.seats)).toBe(201);
    // Opened again it is made anew.
    const again = await opened(old, { store, definitions: 'before' });
    await expectReduced(again, old.seats);
    expect((await after.execute(byRoom.book, place(901))).status).toBe('succeeded');
    expect(await again.get(old.seats, 's901')).toMatchObject({ version: 1 });
  });

  test('what is retired and given at once is refused', async () => {
    for (const retired of [['seats'], [{ collection: 'seats', definition: 1 }]])
      await expect(opened(old, { store: makeStore(), retired: retired as never })).rejects.toMatchObject({
        code: 'InvalidDefinition',
        details: { path: 'retired', collection: 'seats' },
      });
  });

  test('what is used is marked as used while its documents are still being made, however long that takes', async () => {
    const plain = makeStore();
    const before = await opened(old, { store: plain });
    await filled(before, old, 7_000);
    await (await opened(byRoom as typeof old, { store: gated(plain) })).close();
    const store = changedStore(plain, (session) => ({
      exclusive: async (work, options) => {
        await new Promise((resolve) => void setTimeout(resolve, 60));
        return session.exclusive(work, options);
      },
    }));
    const session = await plain.open();
    onTestFinished(() => session.close());
    const marked = async () => {
      const { definitions, keyings } = await session.registry();
      const isMarked = definitions.some(({ definition, usedAt }) => definition === 2 && usedAt > LONG_AGO);
      return { isMarked, isFilling: keyings.some(({ state }) => state === 'filling') };
    };
    const LONG_AGO = Date.now() - 2 * USED_MS;
    await session.change(({ last, definitions }) => ({
      raises: false,
      last,
      definitions: definitions.map((one) => Object.assign({}, one, { usedAt: LONG_AGO })),
    }));
    await opened(byRoom as typeof old, { store });
    await until(async () => (await marked()).isMarked);
    expect(await marked()).toEqual({ isMarked: true, isFilling: true });
  });

  test('unused for a day of the log’s time: it goes, its data is swept, and what is used stays', async () => {
    let hours = 0;
    const store = makeStore();
    const runtime = machineRuntime();
    const fast = {
      ...runtime,
      elapsed: () => runtime.elapsed() + hours * (USED_MS + 1_000),
      sleep: (ms: number, signal?: AbortSignal) => runtime.sleep(Math.min(ms, 20), signal),
    };
    const openFast = async (release: typeof old) => {
      const { collections, commands } = release.parts;
      const app = await openOn({ store, collections, commands, logger: keepingLogger() } as never, fast);
      onTestFinished(() => app.close());
      return app as unknown as TheatreApp;
    };
    const session = await store.open();
    onTestFinished(() => session.close());
    const definitions = async (): Promise<readonly number[]> =>
      (await session.registry()).definitions.map(({ definition }) => definition);
    {
      const before = await openFast(old);
      await filled(before, old, 100);
      await settled(before);
      await before.close();
    }
    const after = await openFast(byRoom as typeof old);
    const third = await openFast(theatre({ definition: 3, counts: 5 }));
    await settled(after);
    const hour = async (): Promise<void> => {
      hours += 1;
      await new Promise((resolve) => void setTimeout(resolve, 200));
    };
    // As after a weekend without a command: nobody has had to say that it runs, and then the log's time goes on at once.
    await session.change(({ last, definitions: all }) => ({
      raises: false,
      last,
      definitions: all.map((one) => Object.assign({}, one, { usedAt: Date.now() - 3 * UNUSED_MS })),
    }));
    await after.execute(byRoom.book, place(500));
    await hour();
    expect((await definitions()).toSorted()).toEqual([1, 2, 3]);
    for (let n = 0; n < 4; n += 1) await hour();
    await until(async () => (await definitions()).length === 2);
    expect((await definitions()).toSorted()).toEqual([2, 3]);
    expect((await after.execute(byRoom.book, place(501))).status).toBe('succeeded');
    await settled(third);
    // Nothing is left of it.
    await until(async () => !(await session.sweep()));
    await expectReduced(after, byRoom.seats);
    expect(await session.check()).toEqual([]);
  });
});
