/** Folding whole collections again, from event 1. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogCorrupt, ReducerFailed, UnknownCollection, domain, event, open, type, type Upcast } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, test } from 'vitest';
import { buyService, createService, parts, services, users } from '../support/market.ts';
import { keepingLogger, onLocalStores, temporaryFolder } from '../support/stores.ts';
import { changedStore } from '../faults/over-session.ts';

onLocalStores('fold', (makeStore) => {
  test('law 4: every document, as get gives it, of one collection or of several in one pass', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    for (let n = 0; n < 30; n += 1) {
      await app.execute(createService, { service_id: `s${n % 10}` });
      await app.execute(buyService, { service_id: `s${n % 7}`, buyer_id: `b${n % 3}` });
    }
    const [foundServices, foundUsers] = await app.fold([services, users]);
    expect(foundServices.size).toBe(10);
    expect(foundUsers.size).toBeGreaterThan(2);
    for (const [id, document] of foundServices) expect(document).toStrictEqual(await app.get(services, id));
    for (const [id, document] of foundUsers) expect(document).toStrictEqual(await app.get(users, id));
    expect(await app.fold(services)).toStrictEqual(foundServices);
    expect(await app.fold([services, users, services])).toStrictEqual([foundServices, foundUsers, foundServices]);
  });

  test('is of one point, though others write meanwhile', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's' });
    const folding = app.fold([services, users]);
    const writing = Promise.all(
      Array.from({ length: 50 }, (_, n) => other.execute(buyService, { service_id: 's', buyer_id: `b${n}` })),
    );
    const [foundServices, foundUsers] = await folding;
    await writing;
    // Each sale is one version of the service, and one buyer.
    const { version } = foundServices.get('s')!;
    expect([...foundUsers.keys()].filter((id) => id.startsWith('b')).length).toBe(version - 1);
  });

  test('is of one point, also where the log grows between two pages', async () => {
    let page = 0;
    const store = changedStore(makeStore(), (session) => ({
      scan: async (range) => {
        page += 1;
        if (page === 2) await app.execute(buyService, { service_id: 's', buyer_id: 'late' });
        return session.scan(range);
      },
    }));
    // The pages that are counted are those of the fold alone.
    await using app = await open({ store, ...parts, reduction: 'off' });
    await app.execute(createService, { service_id: 's', quantity: 5_000 });
    const buyers = Array.from({ length: 2_500 }, (_, n) => `b${n}`);
    await Promise.all(buyers.map((buyer_id) => app.execute(buyService, { service_id: 's', buyer_id })));
    const [foundServices, foundUsers] = await app.fold([services, users]);
    expect(page).toBeGreaterThan(2);
    expect(foundServices.get('s')!.version).toBe(2_501);
    expect(foundUsers.has('late')).toBe(false);
    expect((await app.fold(services)).get('s')!.version).toBe(2_502);
  });

  test('is of now: whoever asks for another time is told so', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const fold = app.fold.bind(app) as (...given: unknown[]) => Promise<unknown>;
    for (const more of [{ position: 0 }, {}, null, users]) {
      await expect(fold(services, more)).rejects.toMatchObject({ code: 'InvalidInput', details: { path: 'options' } });
      await expect(fold([services], more)).rejects.toThrow('get(collection, id, { position })');
    }
    expect(await fold(services, undefined)).toEqual(new Map());
  });

  test('at time 0, and of a collection asked for through a hole', async () => {
    await using app = await open({ store: makeStore(), ...parts, clock: () => 0 });
    await app.execute(createService, { service_id: 's' });
    expect((await app.fold(services)).get('s')!.version).toBe(1);
    // oxlint-disable-next-line no-sparse-arrays -- the hole is what is tested
    await expect(app.fold([, services] as never)).rejects.toThrow(UnknownCollection);
  });

  test('of an empty log there is nothing; of a collection that was not given to open, an error', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    expect((await app.fold(users)).size).toBe(0);
    const stranger = domain({ events: { X: type<{ x_id: string }>() } }).collection('xs', {
      key: 'x_id',
      initial: {},
      reduce: {},
    });
    await expect(app.fold(stranger as never)).rejects.toThrow(UnknownCollection);
    await app.close();
    await expect(app.fold(users)).rejects.toMatchObject({ code: 'Closed' });
  });
});

/** Things that are counted; of some the reducer fails, or the initial state. */
const shape = (fails: (id: string, n: number) => boolean = () => false, upcast?: Upcast) => {
  const happened = type<{ thing_ids: string[]; n: number }>();
  const lab = domain({
    events: {
      HAPPENED: upcast ? event(happened, { version: 2, upcast: { 1: upcast } }) : happened,
      SEEN: type<{ thing_ids: string[] }>(),
    },
  });
  const things = lab.collection('things', {
    key: 'thing_ids',
    initial: (id) => {
      if (fails(id, 0)) throw new RangeError('none');
      return { n: 0 };
    },
    reduce: {
      HAPPENED: (_, { n }, { id }) => {
        if (fails(id, n)) throw new RangeError(`${id} at ${n}`);
        return { n };
      },
    },
  });
  const happen = lab.command('HAPPEN', {
    input: type<{ thing_ids: string[]; n: number }>(),
    decide: (_, input) => ({ type: 'HAPPENED', ...input }),
  });
  const see = lab.command('SEE', {
    input: type<{ thing_ids: string[] }>(),
    decide: (_, input) => ({ type: 'SEEN', ...input }),
  });
  return { things, happen, see, parts: { collections: [things], commands: [happen, see], logger: keepingLogger() } };
};

onLocalStores('fold of what is broken', (makeStore) => {
  test('lesson 14: a reducer that fails breaks one document: the others are given, and that one is named', async () => {
    const store = makeStore();
    const sound = shape();
    // No documents are stored that the broken code could begin from.
    await using app = await open({ store, ...sound.parts, reduction: 'off' });
    for (const n of [1, 2, 3]) await app.execute(sound.happen, { thing_ids: ['a', 'b', 'c'], n });
    await app.execute(sound.see, { thing_ids: ['b', 'd'] });
    await app.execute(sound.happen, { thing_ids: ['a', 'd'], n: 4 });
    const whole = await app.fold(sound.things);
    expect(whole.failed.size).toBe(0);

    const broken = shape((id, n) => (id === 'b' && n === 2) || (id === 'c' && n === 0));
    await using later = await open({ store, ...broken.parts, reduction: 'off' });
    const [found, again] = await later.fold([broken.things, broken.things]);
    expect([...found.keys()]).toEqual([...whole.keys()]);
    for (const id of ['a', 'd']) expect(found.get(id)).toStrictEqual(whole.get(id));
    expect([...found.failed.keys()].sort()).toEqual(['b', 'c']);
    expect(again.failed).toEqual(found.failed);
    expect(found.failed.get('b')).toBeInstanceOf(ReducerFailed);
    expect(found.failed.get('b')).toMatchObject({ details: { collection: 'things', id: 'b', version: 2 } });
    // What doesn't rest on its state is known all the same.
    for (const id of ['b', 'c']) {
      const { state: _, ...known } = whole.get(id)!;
      const { collection, definition, version, changed, exists } = found.get(id)!;
      expect({ collection, definition, id, version, changed, exists }).toEqual(known);
      await expect(later.get(broken.things, id)).rejects.toThrow('threw RangeError');
    }
    // Whoever doesn't ask which have failed can't take what is left for all.
    expect(() => [...found.values()].map(({ state }) => state.n)).toThrow(found.failed.get('b'));
    expect(() => JSON.stringify([...found.values()])).toThrow(found.failed.get('b'));
    const sum = [...found.values()].filter(({ id }) => !found.failed.has(id)).reduce((n, { state }) => n + state.n, 0);
    expect(sum).toBe(8);
  });

  test('an upcast that fails breaks the documents of its event; the log’s damage is nobody’s alone', async () => {
    const store = makeStore();
    const sound = shape();
    await using app = await open({ store, ...sound.parts });
    await app.execute(sound.happen, { thing_ids: ['a', 'b'], n: 1 });
    await app.execute(sound.happen, { thing_ids: ['b', 'c'], n: 2 });
    let upcasts = 0;
    const broken = shape(undefined, (old: { n: number }) => {
      upcasts += 1;
      if (old.n === 2) throw new RangeError('two');
      return old;
    });
    await using later = await open({ store, ...broken.parts });
    // Opening has looked at some of them.
    upcasts = 0;
    const found = await later.fold(broken.things);
    expect(found.get('a')?.state).toEqual({ n: 1 });
    expect([...found.failed.keys()]).toEqual(['b', 'c']);
    expect(upcasts).toBe(2);
    for (const id of ['b', 'c']) {
      const version = id === 'b' ? 2 : 1;
      expect(found.failed.get(id)).toMatchObject({
        code: 'UpcastFailed',
        message: expect.stringContaining(`position 2 of things "${id}"`),
        details: { type: 'HAPPENED', position: 2, collection: 'things', id, version },
      });
    }
    // Newer than this code is no fault of a document: nothing that this code folds is what it should be.
    await later.execute(broken.happen, { thing_ids: ['d'], n: 3 });
    await expect(app.fold(sound.things)).rejects.toMatchObject({ code: 'DomainOutdated', details: { position: 3 } });
  });
});

describe('fold of a log that is damaged', () => {
  const folder = temporaryFolder();

  test('an event that is missing is damage, with the position', async () => {
    const file = join(folder, 'missing.db');
    await using app = await open({ store: sqlite(file), ...parts });
    for (const n of [1, 2, 3]) await app.execute(createService, { service_id: `s${n}` });
    const database = new DatabaseSync(file);
    database.exec('DELETE FROM events WHERE position = 2');
    database.close();
    const error: unknown = await app.fold(services).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogCorrupt);
    expect(error).toMatchObject({ details: { position: 2 } });
  });

  test('law 4: versions with a gap are damage, with the position', async () => {
    const store = changedStore(memory(), (session) => ({
      scan: async (range) => {
        const page = await session.scan(range);
        return {
          ...page,
          events: page.events.with(1, { ...page.events[1]!, attachments: [] }),
        };
      },
    }));
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's' });
    for (const buyer_id of ['b1', 'b2']) await app.execute(buyService, { service_id: 's', buyer_id });
    const error: unknown = await app.fold(services).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(LogCorrupt);
    expect(error).toMatchObject({ details: { id: 's', position: 3 } });
  });
});
