/** Many followers of one application: what they cost together, and that each is still given every event once, in order. */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { domain, event, LogCorrupt, open, type, UpcastFailed, type RecordedEvent, type Store } from 'tidemark';
import { expect, test, vi } from 'vitest';
import { openOn } from '../../src/engine/open.ts';
import { machineRuntime } from '../../src/engine/runtime.ts';
import { changedStore } from '../faults/over-session.ts';
import { seeded } from '../support/seed.ts';
import { buyService, createService, parts, services, viewService } from '../support/market.ts';
import { range } from '../../src/testing/conformance/batches.ts';
import { type Market, openedMarket, positionsOf } from '../support/opened-market.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';
import { troubled } from '../support/troubled.ts';
import { until } from '../support/until.ts';

const view = (app: Market, id: string) => app.execute(viewService, { service_id: id });

/** Takes down what somebody follows, until the signal aborts. */
function following(events: AsyncIterable<RecordedEvent>): {
  readonly seen: RecordedEvent[];
  readonly over: Promise<unknown>;
} {
  const seen: RecordedEvent[] = [];
  const over = (async () => {
    for await (const one of events) seen.push(one);
  })().catch((error: unknown) => error);
  return { seen, over };
}

/** A store that counts how often it is read, and how often it is waited for. */
function counted(store: Store): {
  readonly store: Store;
  readonly asked: { reads: number; waits: number; most: number };
} {
  const asked = { reads: 0, waits: 0, most: 0 };
  let reading = 0;
  return {
    asked,
    store: changedStore(store, (session) => ({
      async read(page) {
        asked.reads += 1;
        reading += 1;
        asked.most = Math.max(asked.most, reading);
        return session.read(page).finally(() => (reading -= 1));
      },
      moved(from, signal) {
        asked.waits += 1;
        return session.moved(from, signal);
      },
    })),
  };
}

onLocalStores('many who follow', (makeStore) => {
  test('the end of the log is waited for and read once for all of them, and who isn’t concerned isn’t woken', async () => {
    const { store, asked } = counted(makeStore());
    const app = await openedMarket(store);
    await view(app, 's0');
    const signal = AbortSignal.timeout(60_000);
    const followers = range(0, 399).map((n) => following(app.history(services, `s${n}`, { follow: true, signal })));
    const ofTypes = range(1, 200).map((n) =>
      following(app.events({ follow: true, signal, types: [n % 2 ? 'SERVICE_VIEWED' : 'SERVICE_CREATED'] })),
    );
    await vi.waitFor(() => expect(asked.reads).toBeGreaterThanOrEqual(600), { timeout: 20_000 });
    // They don't take all of the store's connections when they begin together.
    expect(asked.most).toBeLessThanOrEqual(5);
    await vi.waitFor(() => expect(ofTypes.filter(({ seen }) => seen.length === 1)).toHaveLength(100));
    for (let turns = 0; turns < 20; turns += 1) await setImmediate();

    Object.assign(asked, { reads: 0, waits: 0 });
    for (const n of range(0, 19)) await view(app, `s${n}`);
    await app.execute(createService, { service_id: 's5' });
    await vi.waitFor(() =>
      expect(ofTypes.map(({ seen }) => seen.length).sort()).toEqual(
        [...range(1, 100).map(() => 1), ...range(1, 100).map(() => 21)].sort(),
      ),
    );
    await vi.waitFor(() =>
      expect(followers.map(({ seen }) => seen.length)).toEqual(
        range(0, 399).map((n) => (n === 0 || n === 5 ? 2 : n < 20 ? 1 : 0)),
      ),
    );
    // Once for each commit, and some more where one is told twice.
    expect(asked.reads).toBeLessThan(60);
    expect(asked.waits).toBeLessThan(60);
    // It is one and the same for all of them, so it must be frozen.
    const [first, second] = ofTypes.filter(({ seen }) => seen.length === 21);
    expect(first!.seen.at(-1)).toBe(second!.seen.at(-1));
    const { event: shown, attachments } = first!.seen.at(-1)!;
    for (const one of [first!.seen.at(-1), shown, attachments, attachments[0]]) expect(Object.isFrozen(one)).toBe(true);
  });

  test('an event that very many want is handed out in turns of the event loop', async () => {
    const runtime = machineRuntime();
    let seen = 0;
    const atTurns: number[] = [];
    const turn = (): Promise<void> => {
      atTurns.push(seen);
      return runtime.turn();
    };
    await using app = await openOn({ store: makeStore(), ...parts }, { ...runtime, turn });
    await view(app, 's');
    const controller = new AbortController();
    const all = range(1, 1_200).map(async () => {
      for await (const _ of app.events({ follow: true, signal: controller.signal })) seen += 1;
    });
    await vi.waitFor(() => expect(seen).toBe(1_200), { timeout: 20_000 });
    await view(app, 's');
    await vi.waitFor(() => expect(seen).toBe(2_400), { timeout: 20_000 });
    expect(atTurns.filter((count) => count > 1_200 && count < 2_400)).not.toEqual([]);
    controller.abort();
    await Promise.allSettled(all);
  });

  test('a slow reader holds nobody up, and misses nothing of what isn’t kept for it', async () => {
    const { store, asked } = counted(makeStore());
    const app = await openedMarket(store);
    await view(app, 's');
    const controller = new AbortController();
    const { signal } = controller;
    const quick = following(app.events({ follow: true, signal }));
    const slow = [app.events({ follow: true, signal }), app.history(services, 's', { follow: true, signal })];
    for (const one of slow) expect((await one.next()).value?.position).toBe(1);
    const next = slow.map((one) => one.next());
    for (const round of range(1, 3)) {
      await Promise.all(range(1, 800).map(() => view(app, 's')));
      await vi.waitFor(() => expect(quick.seen).toHaveLength(1 + 800 * round), { timeout: 10_000 });
    }
    expect((await Promise.all(next)).map(({ value }) => value?.position)).toEqual([2, 2]);
    asked.reads = 0;
    for (const one of slow) {
      for (const position of range(3, 2_401)) expect((await one.next()).value?.position).toBe(position);
    }
    // From the log, page by page.
    expect(asked.reads).toBeGreaterThan(0);
    expect(asked.reads).toBeLessThan(30);
    controller.abort();
    await quick.over;
  });

  test('whoever is never asked again keeps nothing going', async () => {
    const { store, asked } = counted(makeStore());
    const app = await openedMarket(store);
    await view(app, 's');
    const abandoned = app.events({ follow: true });
    expect((await abandoned.next()).value?.position).toBe(1);
    const second = abandoned.next();
    await view(app, 's');
    expect((await second).value?.position).toBe(2);
    Object.assign(asked, { reads: 0, waits: 0 });
    for (const _ of range(1, 10)) await view(app, 's');
    expect(asked).toMatchObject({ reads: 0, waits: 0 });
    expect((await abandoned.next()).value?.position).toBe(3);
  });

  test('what can’t be read is told to those who want it, and what keeps the log from being read to all', async () => {
    const inner = troubled(makeStore());
    const shape = type<{ item_id: string; n: number }>();
    const make = (broken: boolean) => {
      const PUT = broken
        ? event(shape, {
            version: 2,
            upcast: {
              1: (old: { n: number }) => {
                if (old.n === 2) throw new Error('no such number');
                return old.n === 1 ? undefined : old;
              },
            },
          })
        : shape;
      const shop = domain({ events: { PUT, OTHER: shape } });
      const items = shop.collection('items', {
        key: 'item_id',
        initial: {},
        reduce: { PUT: () => ({}), OTHER: () => ({}) },
      });
      const put = shop.command('PUT', { input: shape, decide: (_, input) => ({ type: 'PUT', ...input }) });
      const other = shop.command('OTHER', { input: shape, decide: (_, input) => ({ type: 'OTHER', ...input }) });
      return { items, put, other, parts: { collections: [items], commands: [put, other] } };
    };
    const [old, now] = [make(false), make(true)];
    await using writer = await open({ store: inner, ...old.parts });
    await writer.execute(old.other, { item_id: 'first', n: 0 });
    await using app = await open({ store: inner, ...now.parts, logger: keepingLogger() });
    const puts = following(app.events({ follow: true, types: ['PUT'] }));
    const all = following(app.events({ follow: true }));
    const others = following(app.events({ follow: true, types: ['OTHER'] }));
    const mine = following(app.history(now.items, 'a', { follow: true }));
    const theirs = following(app.history(now.items, 'b', { follow: true }));
    await vi.waitFor(() => expect([all.seen.length, others.seen.length]).toEqual([1, 1]));
    // What an upcast drops is none of the type that was asked for.
    await writer.execute(old.put, { item_id: 'a', n: 1 });
    await writer.execute(old.put, { item_id: 'a', n: 0 });
    await vi.waitFor(() =>
      expect([puts, all, mine].map(({ seen }) => positionsOf(seen))).toEqual([[3], [1, 2, 3], [2, 3]]),
    );
    expect(all.seen[1]!.event).toEqual({ type: '$DROPPED', dropped: 'PUT', fields: { item_id: 'a', n: 1 } });
    await writer.execute(old.put, { item_id: 'a', n: 2 });
    for (const one of [puts, all, mine]) expect(await one.over).toBeInstanceOf(UpcastFailed);
    await writer.execute(old.other, { item_id: 'b', n: 5 });
    await vi.waitFor(() => expect([others, theirs].map(({ seen }) => positionsOf(seen))).toEqual([[1, 5], [5]]));
    inner.failWith(() => new LogCorrupt('The page is damaged.'));
    inner.away('moved');
    for (const one of [others, theirs]) expect(await one.over).toBeInstanceOf(LogCorrupt);
  });

  test('a damaged event is told to those who want it, and the others go on', async () => {
    const store = changedStore(makeStore(), (session) => ({
      async read(range) {
        const page = await session.read(range);
        if (!page.events.some(({ json }) => json.includes('damaged'))) return page;
        throw new LogCorrupt('The event is damaged.');
      },
    }));
    const app = await openedMarket(store);
    await view(app, 'a');
    const all = following(app.events({ follow: true }));
    const theirs = following(app.history(services, 'damaged', { follow: true }));
    const mine = following(app.history(services, 'a', { follow: true }));
    await vi.waitFor(() => expect([all, mine].map(({ seen }) => seen.length)).toEqual([1, 1]));
    await view(app, 'damaged');
    for (const one of [all, theirs]) expect(await one.over).toBeInstanceOf(LogCorrupt);
    for (const _ of range(1, 3)) await view(app, 'a');
    await vi.waitFor(() => expect(positionsOf(mine.seen)).toEqual([1, 3, 4, 5]));
    await app.close();
  });

  test('an outage is sat out by one for all of them, also by those who begin in it', async () => {
    const plain = makeStore();
    const trouble = troubled(plain);
    const { store, asked } = counted(trouble);
    const writer = await openedMarket(plain);
    await view(writer, 's');
    const logger = keepingLogger();
    const runtime = machineRuntime();
    await using app = await openOn(
      { store, ...parts, logger, reduction: 'off' },
      { ...runtime, sleep: (_, signal) => runtime.sleep(20, signal) },
    );
    const controller = new AbortController();
    const { signal } = controller;
    const follow = () => following(app.events({ follow: true, signal }));
    const before = range(1, 100).map(follow);
    await vi.waitFor(() => expect(before.filter(({ seen }) => seen.length === 1)).toHaveLength(100));
    trouble.away('moved', 'read', 'commits');
    asked.reads = 0;
    const started = performance.now();
    const within = range(1, 100).map(follow);
    await sleep(500);
    // A pause of 20 ms, five that ask after each.
    expect(asked.reads).toBeLessThan(10 + 5 * ((performance.now() - started) / 20));
    expect(logger.lines.length).toBeLessThanOrEqual(2);
    trouble.back();
    await view(writer, 's');
    await vi.waitFor(() => {
      for (const { seen } of [...before, ...within]) expect(positionsOf(seen)).toEqual([1, 2]);
    }, 10_000);
    controller.abort();
    await Promise.all([...before, ...within].map(({ over }) => over));
  });

  test(
    'law 3: whatever they follow, however slow, through outages: what a plain reading gives',
    { timeout: 60_000 },
    async () => {
      const random = seeded();
      const below = (most: number): number => Math.floor(random() * most);
      const plain = makeStore();
      const store = troubled(plain);
      const writer = await openedMarket(plain);
      const runtime = machineRuntime();
      const sleepless = { ...runtime, sleep: (ms: number, signal?: AbortSignal) => runtime.sleep(ms / 50, signal) };
      await using app = await openOn({ store, ...parts, logger: keepingLogger() }, sleepless);
      const writers = [writer, app];
      const types = [
        'SERVICE_VIEWED',
        'SERVICE_CREATED',
        'SERVICE_BOUGHT',
        'BUY_SERVICE_FAILED',
        'CREATE_SERVICE_FAILED',
      ];
      const commit = (by: Market): Promise<unknown> => {
        const service_id = `s${below(12)}`;
        const kind = below(10);
        if (kind === 0) return by.execute(createService, { service_id, quantity: 50 });
        if (kind < 4) return by.execute(buyService, { service_id, buyer_id: `b${below(5)}` });
        return by.execute(viewService, { service_id });
      };
      for (const _ of range(1, 30)) await commit(writer);

      const enough = new AbortController();
      const follower = () => {
        const id = random() < 0.5 ? `s${below(12)}` : undefined;
        const wanted = id === undefined && random() < 0.7 ? types.filter(() => random() < 0.4) : undefined;
        const from = below(id === undefined ? 30 : 2);
        const [pace, patience] = [below(4), below(300) + 50];
        const seen: RecordedEvent[] = [];
        const versionOf = ({ attachments }: RecordedEvent): number =>
          attachments.find((one) => one.collection === 'services' && one.id === id)!.version;
        const read = async (): Promise<void> => {
          const last = seen.at(-1);
          const common = { follow: true, signal: enough.signal, limit: random() < 0.3 ? patience : undefined };
          const events =
            id === undefined
              ? app.events({
                  ...common,
                  types: wanted,
                  after: last ? { position: last.position, hash: last.hash } : from,
                })
              : app.history(services, id, { ...common, after: last ? versionOf(last) : 0 });
          let left = patience;
          for await (const one of events) {
            seen.push(one);
            if (pace === 1 && random() < 0.1) await setImmediate();
            if (pace === 2 && random() < 0.02) await sleep(below(40));
            if ((left -= 1) === 0 && pace === 3) break;
          }
        };
        const over = (async () => {
          while (!enough.signal.aborted) await read();
        })().catch((error: unknown) => error);
        const wants = (one: RecordedEvent): boolean =>
          id !== undefined
            ? one.attachments.some((document) => document.collection === 'services' && document.id === id)
            : one.position > from && (!wanted || wanted.includes(one.event.type));
        return { seen, over, wants };
      };
      const followers = range(1, 25).map(follower);
      const rounds = 25;
      for (const round of range(1, rounds)) {
        const burst = random() < 0.15 ? 1_500 : 1 + below(60);
        const committed = Promise.allSettled(range(1, burst).map(() => commit(writers[below(2)]!)));
        if (random() < 0.4) {
          store.away(...(['moved', 'read', 'commits'] as const).filter(() => random() < 0.5));
          await sleep(below(30));
          store.back();
        }
        // Whoever writes by it doesn't live through outages.
        await committed;
        if (round < rounds && random() < 0.3) followers.push(follower());
        if (random() < 0.5) await setImmediate();
      }
      const all = await collect(writer.events());
      for (const { seen, wants, over } of followers) {
        const expected = all.filter(wants);
        // Whoever was told an error will see no more.
        const ended = await Promise.race([over, until(() => seen.length >= expected.length)]);
        expect(ended).toBeUndefined();
        expect(positionsOf(seen)).toEqual(positionsOf(expected));
        expect(seen).toEqual(expected);
      }
      const reason = new Error('enough');
      enough.abort(reason);
      for (const { over } of followers) expect([reason, undefined]).toContain(await over);
    },
  );
});
