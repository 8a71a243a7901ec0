/** What one caller asks for concerns that caller: whoever shares the batch gets what they would get without it. */
import { domain, failure, open, type, LogCorrupt, type App, type ExecuteOptions } from 'tidemark';
import { memory } from 'tidemark/memory';
import { expect, test } from 'vitest';
import { openOn } from '../../src/engine/open.ts';
import { machineRuntime, type Runtime } from '../../src/engine/runtime.ts';
import type { Limits } from '../../src/limits.ts';
import type { Batch, LoadRequest, Session, Store } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { onLocalStores } from '../support/stores.ts';
import { UNHURRIED } from '../support/unhurried.ts';

const shop = domain({
  events: {
    PUT: type<{ item_id: string; n: number; text?: string }>(),
    TAGGED: type<{ item_ids: string[] }>(),
  },
});
const items = shop.collection('items', {
  key: { PUT: 'item_id', TAGGED: 'item_ids' },
  initial: { n: 0, text: '' },
  reduce: {
    PUT: (state, { n, text = '' }) => ({ n: state.n + n, text }),
    TAGGED: (state) => ({ ...state, n: state.n + 1 }),
  },
});
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string; n: number; text?: string }>(),
  reads: ({ item_id }) => ({ item: items.ref(item_id) }),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const tag = shop.command('TAG', {
  input: type<{ from: number; each: number; events?: number }>(),
  decide: (_, { from, each, events = 1 }) =>
    Array.from({ length: events }, (_, event) => ({
      type: 'TAGGED' as const,
      item_ids: Array.from({ length: each }, (_, n) => `i${from + event * each + n}`),
    })),
});
/** How often `reads` ran: what a batch starts and doesn't decide is started again. */
let started = 0;
const wide = shop.command('WIDE', {
  input: type<{ item_id: string; from: number; reads: number }>(),
  reads: ({ from, reads }) => {
    started += 1;
    return { found: Array.from({ length: reads }, (_, n) => items.ref(`i${from + n}`)) };
  },
  decide: ({ found }, { item_id }) => ({ type: 'PUT', item_id, n: found.length }),
});
/** A thousand events for one document. */
const grow = shop.command('GROW', {
  input: type<{ item_id: string }>(),
  decide: (_, { item_id }) => Array.from({ length: 1_000 }, () => ({ type: 'PUT' as const, item_id, n: 1 })),
});
/** Without stored documents: what is loaded is the whole history. */
const parts = { collections: [items], commands: [put, tag, wide, grow], reduction: 'off' } as const;

type Shop = App<(typeof parts.commands)[number], typeof items>;

const puts = (app: Shop, count: number, name = 'n'): Promise<{ status: string }>[] =>
  Array.from({ length: count }, (_, n) => app.execute(put, { item_id: `${name}${n}`, n: 1 }));

const statuses = async (outcomes: readonly Promise<{ status: string }>[]): Promise<readonly string[]> =>
  (await Promise.all(outcomes)).map(({ status }) => status);

const codeOf = (given: Promise<unknown>): Promise<unknown> =>
  given.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? error,
  );

/** Each look at the clock takes a millisecond. */
function ticking(): Runtime {
  let now = 0;
  return { ...machineRuntime(), elapsed: () => (now += 1) };
}

onLocalStores('neighbours', (makeStore) => {
  test('too many documents in unchanged are refused before one of them is looked at', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    let looked = 0;
    const unchanged = Array.from({ length: 200_000 }, () => ({
      get collection() {
        looked += 1;
        return 'items';
      },
      id: 'i1',
      version: 0,
    }));
    const before = puts(app, 3);
    const asked = app.execute(put, { item_id: 'a', n: 1 }, { unchanged });
    await expect(asked).rejects.toMatchObject({
      code: 'InvalidInput',
      details: { path: 'unchanged', documents: 200_000, max: 1_000 },
    });
    expect(looked).toBe(0);
    expect(await statuses([...before, ...puts(app, 3, 'm')])).toEqual(Array(6).fill('succeeded'));
  });

  test('what answers otherwise when it is asked again is asked once', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: UNHURRIED });
    const lying = (): string => {
      asked += 1;
      return asked === 1 ? 'i1' : `other${asked}`;
    };
    let asked = 0;
    const document = {
      collection: 'items',
      get id() {
        return lying();
      },
      version: 0,
    };
    const alike = shop.command(`ALIKE_${Math.random()}`, {
      input: type<{ item_id: string }>(),
      // It has the mark of a ref, and is none.
      reads: () => ({ item: Object.create(items.ref('x'), { id: { get: lying } }) as ReturnType<typeof items.ref> }),
      decide: ({ item }, { item_id }) => ({ type: 'PUT', item_id, n: item.state.n }),
    });
    await using other = await open({
      store: makeStore(),
      collections: [items],
      commands: [alike, put],
      limits: UNHURRIED,
    });
    const first = [...puts(app, 3), app.execute(put, { item_id: 'a', n: 1 }, { unchanged: [document] })];
    expect(await statuses([...first, ...puts(app, 3, 'm')])).toEqual(Array(7).fill('succeeded'));
    expect(asked).toBe(1);
    asked = 0;
    const neighbours = puts(other as unknown as Shop, 3);
    expect(await statuses([...neighbours, other.execute(alike, { item_id: 'a' })])).toEqual(Array(4).fill('succeeded'));
    expect(asked).toBe(1);
  });

  test('a version that there isn’t is looked for on top of what is known', async () => {
    const loaded: LoadRequest[] = [];
    const store = watching(makeStore(), { load: (requests) => void loaded.push(...requests) });
    await using app = await open({ store, ...parts });
    for (let n = 0; n < 5; n += 1) await app.execute(put, { item_id: 'i1', n: 1 });
    loaded.length = 0;
    const options: ExecuteOptions = { unchanged: [{ collection: 'items', id: 'i1', version: 2 ** 52 }] };
    for (let n = 0; n < 3; n += 1) {
      expect(await codeOf(app.execute(put, { item_id: 'other', n: 1 }, options))).toBe('InvalidInput');
    }
    expect(loaded.filter(({ id }) => id === 'i1').map(({ after }) => after)).toEqual([5, 5, 5]);
  });

  test('a document that is damaged is told to those who asked for it', async () => {
    const store = watching(makeStore(), {
      load: (requests) => {
        if (requests.some(({ id }) => id === 'bad')) throw new LogCorrupt('A document is damaged.');
      },
    });
    await using app = await open({ store, ...parts });
    const neighbours = puts(app, 4);
    const asked = codeOf(app.execute(put, { item_id: 'bad', n: 1 }));
    expect(await statuses([...neighbours, ...puts(app, 4, 'm')])).toEqual(Array(8).fill('succeeded'));
    expect(await asked).toBe('LogCorrupt');
  });

  test('a document with a long history keeps nobody waiting who asks for another', async () => {
    const store = makeStore();
    await using filling = await open({ store, ...parts });
    for (let n = 0; n < 20; n += 1) await filling.execute(grow, { item_id: 'i0' });
    await filling.execute(put, { item_id: 'small', n: 1 });
    // In one millisecond no store gives so many events.
    await using app = await open({ store, ...parts, limits: { batchDecideMs: 1 } });
    const order: string[] = [];
    const answered = (name: string, work: Promise<unknown>): Promise<unknown> => work.then(() => order.push(name));
    await Promise.all([
      answered('long 1', app.execute(put, { item_id: 'i0', n: 1 })),
      answered('small 1', app.execute(put, { item_id: 'small', n: 1 })),
      // Of later batches: they wait for the same load, and for no other.
      ...['small 2', 'small 3'].map((name) => answered(name, app.execute(put, { item_id: name, n: 1 }))),
      answered('long 2', app.execute(put, { item_id: 'i0', n: 1 })),
    ]);
    expect(order.slice(0, 3).toSorted()).toEqual(['small 1', 'small 2', 'small 3']);
    expect(order.slice(3)).toEqual(['long 1', 'long 2']);
    expect(await app.get(items, 'i0')).toMatchObject({ version: 20_002, state: { n: 20_002 } });

    await using reading = await open({ store, ...parts, limits: { batchDecideMs: 1 } });
    order.length = 0;
    await Promise.all([
      answered('long', reading.get(items, 'i0')),
      answered('both', reading.get(items, ['small', 'i0'])),
      answered('small', reading.get(items, 'small')),
    ]);
    expect(order).toEqual(['small', 'long', 'both']);
  });

  test('a command that is sent again while it waits for a long document stops nobody', async () => {
    const store = makeStore();
    await using filling = await open({ store, ...parts });
    for (let n = 0; n < 20; n += 1) await filling.execute(grow, { item_id: 'i0' });
    await using app = await open({ store, ...parts, limits: { batchDecideMs: 1 } });
    const send = (): Promise<{ status: string }> => app.execute(put, { item_id: 'i0', n: 1 }, { id: 'once' });
    const first = send();
    // It waits by now, nobody stands in line, and those that are sent again stand beside it.
    while ((await app.status()).counters.commands === 0) {
      await app.execute(put, { item_id: 'small', n: 1 });
    }
    const again = [send(), send()];
    await app.execute(put, { item_id: 'small', n: 1 });
    const outcomes = await Promise.all([first, ...again]);
    expect(outcomes.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(await app.get(items, 'i0')).toMatchObject({ version: 20_001 });
  });

  test('a window of documents that there aren’t comes between those of a long one', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    for (let n = 0; n < 3; n += 1) await app.execute(grow, { item_id: 'i0' });
    await using cold = await open({ store, ...parts });
    const ids = ['i0', ...Array.from({ length: 1_999 }, (_, n) => `none${n}`)];
    const found = await cold.get(items, ids);
    expect(found.map(({ version }) => version)).toEqual([3_000, ...Array<number>(1_999).fill(0)]);
  });

  test('however many wait for a long document, nobody else does, and they count as waiting', async () => {
    const store = makeStore();
    await using filling = await open({ store, ...parts });
    for (let n = 0; n < 20; n += 1) await filling.execute(grow, { item_id: 'i0' });
    const limits = { batchDecideMs: 1, batchCommitsMax: 2 };
    await using app = await open({ store, ...parts, limits });
    const order: string[] = [];
    let waiting = 0;
    const answered = async (name: string, work: Promise<unknown>): Promise<void> => {
      await work;
      order.push(name);
      if (name === 'small') waiting = Math.max(waiting, (await app.status()).queue.waiting);
    };
    const long = Array.from({ length: 12 }, (_, n) =>
      answered('long', app.execute(put, { item_id: 'i0', n: 1 }, { actor: `a${n}` })),
    );
    for (let n = 0; n < 5; n += 1) await answered('small', app.execute(put, { item_id: 'small', n: 1 }));
    await Promise.all(long);
    expect(order.slice(0, 5)).toEqual(Array(5).fill('small'));
    expect(waiting).toBeGreaterThanOrEqual(12);
    expect((await app.status()).queue).toMatchObject({ waiting: 0, bytes: 0 });
  });

  test('a command of many stages goes on beside the batches, and nobody waits for it', async () => {
    const store = makeStore();
    await using filling = await open({ store, ...parts });
    const ids = Array.from({ length: 20 }, (_, n) => `s${n}`);
    for (const item_id of ids) await filling.execute(grow, { item_id });
    const staged = shop.command(`STAGED_${Math.random()}`, {
      input: type<{ ids: readonly string[] }>(),
      *reads(input) {
        for (const id of input.ids) yield* items.ref(id);
        return {};
      },
      decide: (_, input) => ({ type: 'PUT', item_id: input.ids[0]!, n: 1 }),
    });
    await using app = await open({
      store,
      collections: [items],
      commands: [staged, put],
      reduction: 'off',
      limits: { batchDecideMs: 1 },
    });
    const order: string[] = [];
    const long = app.execute(staged, { ids }).then(({ status }) => order.push(status));
    for (let n = 0; n < 5; n += 1) {
      await app.execute(put, { item_id: 'small', n });
      order.push('small');
    }
    await long;
    expect(order).toEqual([...Array<string>(5).fill('small'), 'succeeded']);
  });

  test('a document that the cache doesn’t take is loaded once for a command, not anew for each of its tries', async () => {
    const inner = makeStore();
    await using filling = await open({ store: inner, ...parts });
    for (let n = 0; n < 10; n += 1) await filling.execute(grow, { item_id: 'i0' });
    let events = 0;
    const store = changedStore(inner, (session) => ({
      async load(requests, options) {
        const loaded = await session.load(requests, options);
        for (const document of loaded.documents) events += document.events.length;
        return loaded;
      },
    }));
    await using app = await open({ store, ...parts, limits: { batchDecideMs: 1, cacheBytesMax: 1 } });
    expect((await app.execute(put, { item_id: 'i0', n: 1 })).status).toBe('succeeded');
    expect(events).toBe(10_000);
  });

  test('closing waits for commands whose documents are still being loaded', async () => {
    const store = makeStore();
    await using filling = await open({ store, ...parts });
    for (let n = 0; n < 40; n += 1) await filling.execute(grow, { item_id: 'i0' });
    const app = await open({ store, ...parts, limits: { batchDecideMs: 1 } });
    const long = app.execute(put, { item_id: 'i0', n: 1 });
    await app.execute(put, { item_id: 'small', n: 1 });
    await app.close();
    expect(await long).toMatchObject({ status: 'succeeded' });
    const hurried = await open({ store, ...parts, limits: { batchDecideMs: 1 } });
    const given = new AbortController();
    const lost = hurried.execute(put, { item_id: 'i0', n: 1 }, { id: 'lost' }).then(
      ({ status }) => status,
      ({ code }: { code: string }) => code,
    );
    const gaveUp = hurried.execute(put, { item_id: 'i0', n: 1 }, { signal: given.signal });
    await hurried.execute(put, { item_id: 'small', n: 1 });
    given.abort();
    await expect(gaveUp).rejects.toMatchObject({ name: 'AbortError' });
    await hurried.close({ timeout: 0 });
    // It was stored, or its caller was told that it wasn't.
    const told = await lost;
    expect(['succeeded', 'Closed']).toContain(told);
    expect((await filling.outcome('lost'))?.status).toBe(told === 'Closed' ? undefined : told);
  });

  test('a batch is bounded by what its commands read', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: { ...UNHURRIED, batchReadsMax: 10 } });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => app.execute(wide, { item_id: `w${n}`, from: 5 * n, reads: 5 })),
    );
    expect(outcomes.map(({ position }) => position)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect((await app.status()).counters.batches).toBe(10);
    // A single one may ask for more.
    expect((await app.execute(wide, { item_id: 'w', from: 0, reads: 50 })).status).toBe('succeeded');
  });

  test('a batch is bounded by the time that deciding takes, and little is started twice', async () => {
    const app = await openOn({ store: makeStore(), ...parts, limits: { batchDecideMs: 20 } }, ticking());
    started = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, n) => app.execute(wide, { item_id: `w${n}`, from: n, reads: 1 })),
    );
    expect(outcomes.map(({ position }) => position)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
    expect((await app.status()).counters.batches).toBeGreaterThan(10);
    expect(started).toBeLessThan(600);
    await app.close();
  });

  test('a batch and a command are bounded by what their events are attached to', async () => {
    const limits = { ...UNHURRIED, commitAttachmentsMax: 10, batchAttachmentsMax: 10 };
    await using app = await open({ store: makeStore(), ...parts, limits });
    const six = Array.from({ length: 6 }, (_, n) => app.execute(tag, { from: 10 * n, each: 4 }));
    expect(await statuses(six)).toEqual(Array(6).fill('succeeded'));
    expect((await app.status()).counters.batches).toBe(3);
    const neighbours = puts(app, 3);
    const outcome = await app.execute(tag, { from: 0, each: 4, events: 3 });
    expect(outcome).toMatchObject({ status: 'failed', reason: 'ERROR', details: { name: 'LimitExceeded' } });
    expect((await app.execute(tag, { from: 0, each: 5, events: 2 })).status).toBe('succeeded');
    expect(await statuses(neighbours)).toEqual(Array(3).fill('succeeded'));
  });

  test('the last try is for those whose tries are used up, and what isn’t decided in time waits for the next', async () => {
    const store = makeStore();
    await using other = await open({ store, ...parts });
    const locked: number[] = [];
    let stirring = false;
    const late: Promise<{ status: string }>[] = [];
    const stirred = watching(store, {
      async append() {
        // Somebody else is faster, and more commands come meanwhile.
        if (!stirring) return;
        stirring = false;
        late.push(...puts(app, 5, 'late'));
        await other.execute(put, { item_id: 'hot', n: 1 });
      },
      lockedAppend: ({ commits }) => void locked.push(commits.length),
    });
    await using app = await open({ store: stirred, ...parts, limits: { ...UNHURRIED, triesMax: 2 } });
    await app.get(items, 'hot');
    stirring = true;
    const three = Array.from({ length: 3 }, () => app.execute(put, { item_id: 'hot', n: 1 }));
    expect(await statuses(three)).toEqual(Array(3).fill('succeeded'));
    expect(await statuses(late)).toEqual(Array(5).fill('succeeded'));
    expect(locked).toEqual([3]);
    expect((await app.verify()).problems).toEqual([]);

    // Under the lock as everywhere: as many as there is time for.
    locked.length = 0;
    const hasty = await openOn({ store: stirred, ...parts, limits: { triesMax: 1, batchDecideMs: 20 } }, ticking());
    expect(await statuses(puts(hasty as Shop, 100, 'h'))).toEqual(Array(100).fill('succeeded'));
    expect(locked.reduce((sum, count) => sum + count)).toBe(100);
    expect(Math.max(...locked)).toBeLessThan(40);
    await hasty.close();
  });

  test('many sends of one id are one command, and each is answered', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    const sends = Array.from({ length: 3_000 }, () => app.execute(put, { item_id: 'i1', n: 1 }, { id: 'same' }));
    const others = Array.from({ length: 3 }, () => codeOf(app.execute(put, { item_id: 'i2', n: 1 }, { id: 'same' })));
    const outcomes = await Promise.all(sends);
    expect(outcomes.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(outcomes.map(({ position }) => position))).toEqual(new Set([1]));
    expect(await Promise.all(others)).toEqual(Array(3).fill('CommandIdReused'));
    expect((await app.status()).counters).toMatchObject({ commands: 3_000, replayed: 2_999 });
  });
});

onLocalStores('memory', (makeStore) => {
  test('the cache weighs the states that it holds', async () => {
    await using app = await open({ store: makeStore(), ...parts, limits: { cacheBytesMax: 1_000 } });
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 10; n += 1) {
        const text = 'x'.repeat(n === 5 ? 2_000 : 300);
        expect((await app.execute(put, { item_id: `i${n}`, n: 1, text })).status).toBe('succeeded');
        const { cache } = await app.status();
        expect(cache.bytes).toBeLessThanOrEqual(1_000);
        expect(cache.bytes).toBeGreaterThanOrEqual(n === 5 ? 0 : 300);
      }
    }
    expect((await app.get(items, ['i5', 'i9'])).map(({ state }) => [state.n, state.text.length])).toEqual([
      [2, 2_000],
      [2, 300],
    ]);
  });

  test('the queue weighs the inputs that it holds, with prepare or without', async () => {
    const gate = Promise.withResolvers<void>();
    const prepared = shop.command(`PREPARED_${Math.random()}`, {
      input: type<{ item_id: string; text: string }>(),
      prepare: () => gate.promise,
      decide: (_, input) => ({ type: 'PUT', n: 1, ...input }),
    });
    await using app = await open({
      store: makeStore(),
      collections: [items],
      commands: [put, prepared],
      limits: { queueBytesMax: 1_000 },
    });
    const text = 'x'.repeat(300);
    for (const send of [
      (id: string) => app.execute(put, { item_id: id, n: 1, text }),
      (id: string) => app.execute(prepared, { item_id: id, text }),
    ]) {
      const results = ['a', 'b', 'c', 'd', 'e'].map((id) => send(id).catch((error: unknown) => error));
      expect(await results[4]).toMatchObject({ code: 'Overloaded', details: { limit: 'queueBytesMax', max: 1_000 } });
      const { queue } = await app.status();
      expect(queue.bytes).toBeLessThanOrEqual(queue.bytesMax);
      gate.resolve();
      const first = await Promise.all(results.slice(0, 2));
      expect(first).toMatchObject([{ status: 'succeeded' }, { status: 'succeeded' }]);
      expect(await send('f')).toMatchObject({ status: 'succeeded' });
    }
  });

  test('what is shared counts each time: in inputs, events, details and states', async () => {
    const row = Array(1_000).fill(1);
    const shared = (): number[][] => Array(100_000).fill(row) as number[][];
    const sharing = domain({ events: { E: type<{ id: string; list?: number[][] }>() } });
    const things = sharing.collection('things', {
      key: 'id',
      initial: { list: [] as readonly (readonly number[])[] },
      reduce: { E: (state, { id }) => (id === 'shared' ? { list: shared() } : state) },
    });
    const share = sharing.command('SHARE', {
      input: type<{ id: string; as?: string; list?: number[][] }>(),
      reads: ({ id }) => ({ thing: things.ref(id) }),
      decide: (_, { id, as }) =>
        as === 'details' ? failure('NO', { list: shared() }) : { type: 'E', id, ...(as && { list: shared() }) },
    });
    const quiet = { debug() {}, info() {}, warn() {}, error() {} };
    await using app = await open({ store: makeStore(), collections: [things], commands: [share], logger: quiet });
    expect(await codeOf(app.execute(share, { id: 'x', list: shared() }))).toBe('InvalidInput');
    expect(await app.execute(share, { id: 'x', as: 'event' })).toMatchObject({ details: { name: 'LimitExceeded' } });
    expect(await app.execute(share, { id: 'x', as: 'details' })).toMatchObject({ status: 'failed', reason: 'NO' });
    expect(await app.execute(share, { id: 'shared' })).toMatchObject({ details: { name: 'ReducerFailed' } });
    expect((await app.execute(share, { id: 'x' })).status).toBe('succeeded');
  });
});

test('documents are loaded in windows: what an answer leaves out is asked for again, and no more', async () => {
  const loaded: number[] = [];
  const store = watching(memory(), { load: (requests) => void loaded.push(requests.length) });
  const ids = Array.from({ length: 1_000 }, (_, n) => `i${n}`);
  {
    const limits: Partial<Limits> = { batchAttachmentsMax: 1_000 };
    await using app = await open({ store, ...parts, limits });
    await Promise.all(Array.from({ length: 60 }, () => app.execute(tag, { from: 0, each: 1_000 })));
  }
  await using app = await open({ store, ...parts });
  loaded.length = 0;
  const found = await app.get(items, ids);
  expect(new Set(found.map(({ version, state }) => `${version} ${state.n}`))).toEqual(new Set(['60 60']));
  // Once each, and of each page the one that it ended in.
  expect(loaded.reduce((sum, count) => sum + count)).toBeLessThan(3_000);
});

/** A store that says what is asked of it, before it is done. */
function watching(
  store: Store,
  watch: {
    readonly load?: (requests: readonly LoadRequest[]) => void;
    readonly append?: (batch: Batch) => Promise<void> | void;
    readonly lockedAppend?: (batch: Batch) => void;
  },
): Store {
  return changedStore(store, (session: Session) => ({
    async load(requests, options) {
      watch.load?.(requests);
      return session.load(requests, options);
    },
    async append(batch) {
      await watch.append?.(batch);
      return session.append(batch);
    },
    exclusive: (work) =>
      session.exclusive((locked) =>
        work({
          load: async (requests, options) => {
            watch.load?.(requests);
            return locked.load(requests, options);
          },
          append: async (batch) => {
            watch.lockedAppend?.(batch);
            return locked.append(batch);
          },
          ledger: (ids) => locked.ledger(ids),
          read: (range) => locked.read(range),
          commits: (range) => locked.commits(range),
          registry: () => locked.registry(),
          scan: (range) => locked.scan(range),
          stored: (range) => locked.stored(range),
          attach: (page) => locked.attach(page),
          fillIndex: (page) => locked.fillIndex(page),
        }),
      ),
  }));
}
