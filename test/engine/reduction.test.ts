/** Stored documents follow the log: whatever happens meanwhile, they are what its events fold to (laws 4 and 6). */
import { domain, open, StoreUnavailable, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Session, SetStep } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { collect, keepingLogger, onLocalStores, temporaryFolder } from '../support/stores.ts';
import { seeded } from '../support/seed.ts';
import { expectReduced, opened, settled } from '../support/opened-theatre.ts';
import { filled, place, theatre } from '../support/theatre.ts';
import { until } from '../support/until.ts';

const house = theatre({ hasRooms: true, indexes: ['times', ['guest', 'times']] });

onLocalStores('reduction', (makeStore) => {
  test('three servers that write and reduce side by side: every document is what its events fold to', async () => {
    const random = seeded();
    const store = makeStore();
    const servers = await Promise.all([1, 2, 3].map(() => opened(house, { store })));
    const [reader] = servers;
    const state = { isWriting: true };
    const writing = Promise.all(
      servers.map(async (app) => {
        for (let n = 0; n < 60; n += 1) {
          const events = Array.from({ length: 1 + Math.floor(random() * 8) }, () => ({
            type: (['BOOKED', 'CANCELLED', 'NOTED'] as const)[Math.floor(random() * 3)]!,
            ...place(Math.floor(random() * 40)),
          }));
          await app.execute(house.put, { events });
        }
      }),
    ).finally(() => (state.isWriting = false));
    let pages = 0;
    while (state.isWriting) {
      // All of them come in one page of the store: as of one place.
      const { documents, position } = await reader!.find(house.seats, { fresh: false, limit: 100 });
      const then = await reader!.get(
        house.seats,
        documents.map(({ id }) => id),
        { position },
      );
      expect(documents).toEqual(then);
      pages += 1;
    }
    await writing;
    expect(pages).toBeGreaterThan(0);
    for (const app of servers) {
      await expectReduced(app, house.seats);
      await expectReduced(app, house.rooms);
    }
  });

  test('an own write is found at once, another’s by its position', async () => {
    const store = makeStore();
    const [app, other] = [await opened(house, { store }), await opened(house, { store })];
    for (let n = 0; n < 5; n += 1) {
      const { position } = await app.execute(house.book, place(n));
      const where = { guest: `g${n}` };
      expect((await app.find(house.seats, { where })).documents).toMatchObject([{ id: `s${n}`, version: 1 }]);
      expect(await other.count(house.seats, { where, fresh: position })).toBe(1);
    }
  });

  test('watch follows what any server writes, and ends with its signal', async () => {
    const store = makeStore();
    const [app, other] = [await opened(house, { store }), await opened(house, { store })];
    const controller = new AbortController();
    const seen: number[] = [];
    const watching = (async () => {
      for await (const { documents } of app.watch(
        house.rooms,
        { where: { booked: { gt: 0 } } },
        { signal: controller.signal },
      ))
        seen.push(documents.reduce((sum, { state }) => sum + state.booked, 0));
    })();
    const document = app.watch(house.seats, 's0', { signal: controller.signal });
    expect((await document.next()).value).toMatchObject({ exists: false });
    const next = document.next();
    for (let n = 0; n < 4; n += 1) await (n % 2 === 0 ? app : other).execute(house.book, place(n));
    await until(() => seen.at(-1) === 4);
    expect(seen).toEqual(seen.toSorted());
    expect((await next).value).toMatchObject({ exists: true, version: 1, state: { guest: 'g0' } });
    controller.abort(new Error('enough'));
    await expect(watching).rejects.toThrow('enough');
  });

  test('commits that are larger than a slice are reduced in parts, each document once', async () => {
    const store = makeStore();
    const app = await opened(house, { store });
    // 1,000 events, and 1,000 other documents in each.
    for (let round = 0; round < 3; round += 1) {
      const events = Array.from({ length: 1_000 }, (_, n) => ({ type: 'BOOKED' as const, ...place(round * 600 + n) }));
      await app.execute(house.put, { events });
    }
    const folded = await expectReduced(app, house.seats);
    expect(folded.size).toBe(2_200);
    expect(await app.count(house.seats, { where: { times: 2 } })).toBe(800);
  });

  test('a document that an event is attached to in two ways, and events with many documents', async () => {
    const club = domain({ events: { MET: type<{ one: string; other: string; others: readonly string[] }>() } });
    const people = club.collection('people', {
      key: ['one', 'other', 'others'],
      initial: { met: 0 },
      reduce: { MET: ({ met }) => ({ met: met + 1 }) },
    });
    const meet = club.command('MEET', {
      input: type<{ one: string; other: string; others: readonly string[] }>(),
      decide: (_, input) => ({ type: 'MET', ...input }),
    });
    await using app = await open({ store: makeStore(), collections: [people], commands: [meet] });
    const many = Array.from({ length: 998 }, (_, n) => `p${n}`);
    await app.execute(meet, { one: 'a', other: 'a', others: ['a', 'b'] });
    await app.execute(meet, { one: 'a', other: 'b', others: many });
    await app.execute(meet, { one: 'c', other: 'b', others: many });
    const found = await collect(app.list(people));
    expect(found).toHaveLength(1_001);
    expect(new Map(found.map(({ id, state }) => [id, state.met])).get('a')).toBe(2);
    for (const document of await app.get(people, ['a', 'b', 'c', 'p0', 'p997'])) expect(found).toContainEqual(document);
    expect((await app.verify()).problems).toEqual([]);
  });

  test('loading begins with the stored document: events before it aren’t read', async () => {
    const store = makeStore();
    const app = await opened(house, { store });
    for (let n = 0; n < 3; n += 1) {
      await app.execute(house.put, {
        events: Array.from({ length: 400 }, () => ({ type: 'BOOKED' as const, ...place(1) })),
      });
    }
    await settled(app);
    let events = 0;
    const counted = changedStore(store, (session) => ({
      async load(requests, options) {
        const loaded = await session.load(requests, options);
        for (const document of loaded.documents) events += document.events.length;
        return loaded;
      },
    }));
    const cold = await opened(house, { store: counted, reduction: 'off' });
    expect(await cold.get(house.seats, 's1')).toMatchObject({ version: 1_200, state: { times: 1_200 } });
    await cold.execute(house.put, { events: [{ type: 'CANCELLED', ...place(1) }] });
    expect((await cold.execute(house.book, place(1))).status).toBe('succeeded');
    expect(events).toBeLessThan(10);
    // An earlier version is folded from the first event on.
    expect(await cold.get(house.seats, 's1', { version: 3 })).toMatchObject({ version: 3, state: { times: 3 } });
  });

  test('a step that comes too late is not stored, and who has lost goes on from where the set is', async () => {
    const plain = makeStore();
    const refused: string[] = [];
    let gate: Promise<void> | undefined;
    let isHeld = false;
    const store = changedStore(plain, (session) => ({
      async advance(step) {
        if (gate) isHeld = true;
        await gate;
        const stepped = await session.advance(step);
        if (stepped !== 'stored') refused.push(stepped);
        return stepped;
      },
    }));
    const slow = await opened(house, { store });
    await settled(slow);
    const open_ = Promise.withResolvers<void>();
    gate = open_.promise;
    await slow.execute(house.book, place(1));
    await until(() => isHeld);
    const fast = await opened(house, { store: plain });
    await fast.execute(house.book, place(2));
    await until(async () => (await fast.status()).reduction.lagEvents === 0);
    open_.resolve();
    gate = undefined;
    await slow.execute(house.book, place(3));
    await expectReduced(slow, house.seats);
    expect(refused.length).toBeGreaterThan(0);
    await expectReduced(fast, house.seats);
  });
});

onLocalStores('documents that can’t be folded', (makeStore) => {
  const broken = theatre({ indexes: ['times'], fails: (guest) => guest === 'g13' });
  const sound = theatre({ indexes: ['times'] });

  test('others go on; it is marked at its last good version, named, found by nobody, and tried again by mended code', async () => {
    const store = makeStore();
    const app = await opened(broken, { store });
    await app.execute(broken.book, place(1));
    await app.execute(broken.put, { events: [{ type: 'CANCELLED', ...place(1) }] });
    await app.execute(broken.put, { events: [{ type: 'BOOKED', ...place(1, { guest_id: 'g13' }) }] });
    for (let n = 2; n < 6; n += 1) await app.execute(broken.book, place(n));
    await app.execute(broken.put, { events: [{ type: 'NOTED', ...place(1) }] });
    await settled(app);
    expect((await app.find(broken.seats)).documents.map(({ id }) => id)).toEqual(['s2', 's3', 's4', 's5']);
    expect((await app.find(broken.seats, { where: { times: 1 } })).documents).toHaveLength(4);
    expect((await app.status()).reduction.failed).toEqual([
      { collection: 'seats', id: 's1', reason: expect.stringContaining('nobody knows g13') },
    ]);
    await expect(app.get(broken.seats, 's1')).rejects.toMatchObject({ code: 'ReducerFailed' });
    await expect(app.watch(broken.seats, 's1').next()).rejects.toMatchObject({ code: 'ReducerFailed' });

    // The same code fails again, and says so.
    const again = await opened(broken, { store });
    await until(async () => (await again.status()).reduction.failed.length === 1);
    expect(await again.count(broken.seats)).toBe(4);

    const mended = await opened(sound, { store });
    await until(async () => (await mended.count(sound.seats, { where: { times: 2 } })) === 1);
    // Those that failed at it know too.
    for (const one of [mended, app, again]) expect((await one.status()).reduction.failed).toEqual([]);
    expect(await mended.get(sound.seats, 's1')).toMatchObject({ version: 4, state: { guest: 'g13', times: 2 } });
    await mended.execute(sound.put, { events: [{ type: 'CANCELLED', ...place(1) }] });
    await expectReduced(mended, sound.seats);
  });

  test('many of them: all are tried again, also while others write', async () => {
    const store = makeStore();
    const all = theatre({ fails: (guest) => guest !== 'g0' });
    const app = await opened(all, { store });
    await filled(app, all, 300, 100);
    await settled(app);
    expect(await app.count(all.seats)).toBe(1);
    expect((await app.status()).reduction.failed).toHaveLength(20);
    await app.close();
    const good = theatre();
    const mended = await opened(good, { store });
    const [other] = [await opened(good, { store })];
    for (let n = 0; n < 330; n += 1) await other.execute(good.put, { events: [{ type: 'BOOKED', ...place(n) }] });
    await until(async () => (await mended.count(good.seats)) === 330);
    await expectReduced(mended, good.seats);
  });
});

test('a state that is too large to be stored: the document stays as it was stored, others go on, and get still gives it', async () => {
  const MIB = 2 ** 20;
  const notes = domain({
    events: { WRITTEN: type<{ note_id: string; text: string }>(), ERASED: type<{ note_id: string }>() },
  });
  const pages = notes.collection('pages', {
    key: 'note_id',
    initial: { text: '' },
    reduce: { WRITTEN: ({ text }, { text: more }) => ({ text: text + more }), ERASED: () => ({ text: '' }) },
    indexes: ['text'],
  });
  const write = notes.command('WRITE', {
    input: type<{ note_id: string; text: string }>(),
    decide: (_, { note_id, text }) => (text === '' ? { type: 'ERASED', note_id } : { type: 'WRITTEN', note_id, text }),
  });
  const store = memory();
  const limits = { eventBytesMax: 9 * MIB, inputBytesMax: 9 * MIB };
  const parts = { store, collections: [pages], commands: [write], limits, logger: keepingLogger() } as const;
  {
    await using app = await open(parts);
    for (let n = 0; n < 3; n += 1) await app.execute(write, { note_id: 'long', text: 'x'.repeat(8 * MIB) });
    await app.execute(write, { note_id: 'short', text: 'y' });
    await until(async () => (await app.status()).reduction.lagEvents === 0);
    expect((await app.find(pages)).documents.map(({ id }) => id)).toEqual(['short']);
    expect((await app.status()).reduction.failed).toMatchObject([
      { id: 'long', reason: expect.stringContaining('bytes') },
    ]);
    expect((await app.get(pages, 'long')).state.text).toHaveLength(24 * MIB);
  }
  // Nothing of the state is lost for whoever has it in no cache.
  await using cold = await open({ ...parts, reduction: 'off' });
  expect(await cold.get(pages, 'long')).toMatchObject({ version: 3 });
  expect((await cold.get(pages, 'long')).state.text).toHaveLength(24 * MIB);
  expect((await cold.verify()).problems).toEqual([]);
  await cold.execute(write, { note_id: 'long', text: '' });
  // It is small again, and is tried again when an application is opened.
  await using later = await open(parts);
  await until(async () => (await later.count(pages)) === 2);
  expect((await later.status()).reduction.failed).toEqual([]);
});

// --- Faults -------------------------------------------------------------------------------------------------------------

/** A store of which chosen calls fail. */
function away(store: Store): Store & { fail: Set<'advance' | 'scan' | 'stored'>; failures: number } {
  const fail = new Set<'advance' | 'scan' | 'stored'>();
  const failing = (session: Session): Partial<Session> =>
    Object.fromEntries(
      (['advance', 'scan', 'stored'] as const).map((name) => [
        name,
        async (...args: never[]) => {
          if (fail.has(name)) {
            given.failures += 1;
            throw new StoreUnavailable('The store can’t be reached: try again.');
          }
          return (session[name] as (...args: never[]) => Promise<unknown>)(...args);
        },
      ]),
    );
  const given = { ...changedStore(store, failing), fail, failures: 0 };
  return given;
}

onLocalStores('a store that is away for a while', (makeStore) => {
  test.each(['advance', 'scan', 'stored'] as const)('%s: named in status, and made up for', async (call) => {
    const store = away(makeStore());
    const logger = keepingLogger();
    const app = await opened(house, { store, logger });
    await app.execute(house.book, place(1));
    await settled(app);
    store.fail.add(call);
    for (let n = 2; n < 40; n += 1) await app.execute(house.put, { events: [{ type: 'BOOKED', ...place(n) }] });
    await until(async () => (await app.status()).reduction.errors.length > 0);
    const { errors, lagEvents, lagMs } = (await app.status()).reduction;
    expect(errors[0]).toMatchObject({ code: 'StoreUnavailable', message: expect.stringContaining('reached') });
    expect(lagEvents).toBeGreaterThan(0);
    expect(lagMs).toBeGreaterThan(0);
    store.fail.clear();
    await expectReduced(app, house.seats);
    expect((await app.status()).reduction).toMatchObject({ errors: [], lagEvents: 0, lagMs: 0 });
    // Once, not at each try.
    expect(logger.lines.filter(({ level }) => level === 'warn').length).toBeLessThan(6);
  });

  test.each(['scan', 'advance'] as const)(
    '%s: it is tried again after a pause, also for those who wait',
    async (call) => {
      const store = away(makeStore());
      const app = await opened(house, { store, limits: { rebuildingWaitMs: 1_500 } });
      await app.execute(house.book, place(1));
      await settled(app);
      store.fail.add(call);
      await app.execute(house.book, place(2));
      const others = setInterval(() => void app.execute(house.put, { events: [{ type: 'NOTED', ...place(3) }] }), 20);
      await expect(app.count(house.seats)).rejects.toMatchObject({
        code: expect.stringMatching(/Rebuilding|StoreUnavailable/),
      });
      clearInterval(others);
      expect(store.failures).toBeLessThan(40);
      store.fail.clear();
      await expectReduced(app, house.seats);
    },
  );

  test('what was stored without an answer is no harm: the set is looked at again', async () => {
    const plain = makeStore();
    let lost = 0;
    const store = changedStore(plain, (session) => ({
      async advance(step: SetStep) {
        const stepped = await session.advance(step);
        lost += 1;
        if (lost % 2 === 1) throw new StoreUnavailable('The connection was lost.', { unknown: true });
        return stepped;
      },
    }));
    const app = await opened(house, { store });
    for (let n = 0; n < 20; n += 1) await app.execute(house.put, { events: [{ type: 'BOOKED', ...place(n % 3) }] });
    await expectReduced(app, house.seats);
    expect(lost).toBeGreaterThan(1);
  });

  test('a set that is found further back while a slice of it is being read is looked at again, without an error', async () => {
    const plain = makeStore();
    const scanned = Promise.withResolvers<void>();
    let [holds, isHeld, isBack] = [false, false, false];
    const store = changedStore(plain, (session) => ({
      async scan(range) {
        if (holds) {
          isHeld = true;
          await scanned.promise;
        }
        return session.scan(range);
      },
      async stored(range) {
        const page = await session.stored(range);
        // As a store that a crash has taken back answers.
        if (!isBack || !page || 'ids' in range || range.limit === 0) return page;
        isBack = false;
        return { ...page, place: { position: 0, hash: '0'.repeat(64) } };
      },
    }));
    const logger = keepingLogger();
    const app = await opened(house, { store, logger });
    await app.execute(house.book, place(1));
    await app.find(house.seats);
    await settled(app);
    holds = true;
    await app.execute(house.book, place(2));
    await until(() => isHeld);
    isBack = true;
    const found = app.find(house.seats, { fresh: false });
    await until(() => !isBack);
    holds = false;
    scanned.resolve();
    await found;
    await expectReduced(app, house.seats);
    expect(logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  test('closing while it reduces leaves nothing running', async () => {
    const plain = makeStore();
    const writer = await opened(house, { store: plain, reduction: 'off' });
    await filled(writer, house, 3_000);
    for (let turn = 0; turn < 5; turn += 1) {
      const calls: string[] = [];
      let isClosed = false;
      const store = changedStore(plain, (session) => {
        const names = ['advance', 'scan', 'stored', 'commits', 'moved', 'load', 'registry', 'change', 'sweep'] as const;
        return Object.fromEntries(
          names.map((name) => [
            name,
            (...given: never[]) => {
              if (isClosed) calls.push(name);
              return (session[name] as (...args: never[]) => Promise<unknown>)(...given);
            },
          ]),
        );
      });
      const app = await opened(house, { store });
      await new Promise((resolve) => void setTimeout(resolve, turn * 7));
      await app.close();
      isClosed = true;
      await new Promise((resolve) => void setTimeout(resolve, 50));
      expect(calls).toEqual([]);
    }
    const last = await opened(house, { store: plain });
    await expectReduced(last, house.seats);
  });
});

onLocalStores('without reduction', (makeStore) => {
  test('status says so; queries take what others have reduced, and say how far that is where nobody does', async () => {
    const store = makeStore();
    const limits = { rebuildingWaitMs: 100 };
    const idle = await opened(house, { store, reduction: 'off', limits });
    expect((await idle.status()).reduction).toEqual({ state: 'off', lagEvents: 0, lagMs: 0, failed: [], errors: [] });
    const { position } = await idle.execute(house.book, place(1));
    await expect(idle.find(house.seats)).rejects.toMatchObject({
      code: 'Rebuilding',
      retryable: true,
      details: { collection: 'seats', work: 'folding', done: 0, total: position },
    });
    expect((await idle.find(house.seats, { fresh: false })).documents).toEqual([]);
    expect((await idle.get(house.seats, 's1')).version).toBe(1);
    const busy = await opened(house, { store });
    expect(await busy.count(house.seats, { fresh: position })).toBe(1);
    await settled(busy);
    expect((await idle.find(house.seats)).documents).toHaveLength(1);
  });
});

const folder = temporaryFolder();

test('a log that is opened for reading is not reduced, and is asked all the same', async () => {
  const file = join(folder, 'read.db');
  const writer = await opened(house, { store: sqlite(file) });
  await writer.execute(house.book, place(1));
  await settled(writer);
  const logger = keepingLogger();
  const reader = await opened(house, { store: sqlite(file, { readOnly: true }), logger });
  expect((await reader.status()).reduction).toMatchObject({ state: 'off', errors: [] });
  expect((await reader.find(house.seats)).documents).toHaveLength(1);
  const watched = reader.watch(house.seats, 's2');
  expect((await watched.next()).value).toMatchObject({ exists: false });
  const next = watched.next();
  await writer.execute(house.book, place(2));
  expect((await next).value).toMatchObject({ exists: true });
  await watched.return?.();
  expect(logger.lines).toEqual([]);
  // What would change something is refused by name.
  await expect(reader.rebuild(house.seats)).rejects.toMatchObject({ code: 'NotWritable' });
  await expect(reader.rebuild(house.seats, { dryRun: true })).rejects.toMatchObject({ code: 'NotWritable' });
  await expect(opened(theatre({ definition: 2 }), { store: sqlite(file, { readOnly: true }) })).rejects.toMatchObject({
    code: 'NotWritable',
  });
});

test('a server that finds a set moved while it looks for failed documents knows nothing of them any more', async () => {
  const store = memory();
  const writer = await opened(house, { store, reduction: 'off' });
  const booked = { type: 'BOOKED', ...place(0) } as const;
  await writer.execute(house.put, { events: [booked] });
  const looks = Promise.withResolvers<void>();
  const goesOn = Promise.withResolvers<void>();
  // Its first look for them comes after its first step.
  const late = changedStore(store, (session) => ({
    stored: async (range) => {
      if ('failed' in range && range.failed) {
        looks.resolve();
        await goesOn.promise;
      }
      return session.stored(range);
    },
  }));
  const app = await opened(house, { store: late });
  await looks.promise;
  await writer.execute(house.put, { events: [booked, { ...booked, type: 'CANCELLED' }] });
  const other = await opened(house, { store });
  await settled(other);
  await other.close();
  goesOn.resolve();
  await settled(app);
  // It has folded this one itself, on what it has read: only the entries that go are those of what it knows.
  await app.execute(house.book, place(0));
  const page = await app.find(house.seats, { orderBy: [{ times: 'asc' }] });
  expect(page.documents).toMatchObject([{ id: 's0', version: 4 }]);
});
