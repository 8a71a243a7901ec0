/** Following the log and a document's history: what comes, what ends it, what it lives through. */
import { getEventListeners } from 'node:events';
import nodeTimers from 'node:timers';
import { setImmediate } from 'node:timers/promises';
import { Closed, HistoryDiverged, InvalidInput, LogCorrupt, open, type RecordedEvent } from 'tidemark';
import { expect, onTestFinished, test, vi } from 'vitest';
import { IDLE_LOOK_MS } from '../../src/engine/growing/growth.ts';
import { openOn } from '../../src/engine/open.ts';
import { machineRuntime } from '../../src/engine/runtime.ts';
import { buyService, createService, parts, services, viewService } from '../support/market.ts';
import { range } from '../../src/testing/conformance/batches.ts';
import { type Market, openedMarket, positionsOf } from '../support/opened-market.ts';
import { collect, keepingLogger, onEveryStore } from '../support/stores.ts';
import { seeded } from '../support/seed.ts';
import { troubled } from '../support/troubled.ts';

const positions = async (events: AsyncIterable<RecordedEvent>): Promise<number[]> => positionsOf(await collect(events));

async function views(app: Market, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await app.execute(viewService, { service_id: `s${n % 3}` });
}

/** Intervals that were begun since, and still run: what a store asks others by while somebody waits. */
function intervals(): Set<unknown> {
  const running = new Set<unknown>();
  const { setInterval: begin, clearInterval: end } = nodeTimers;
  const begun = vi.spyOn(nodeTimers, 'setInterval').mockImplementation(((...given: Parameters<typeof begin>) => {
    const timer = begin(...given);
    running.add(timer);
    return timer;
  }) as typeof begin);
  const ended = vi.spyOn(nodeTimers, 'clearInterval').mockImplementation((timer) => {
    running.delete(timer);
    end(timer);
  });
  onTestFinished(() => {
    begun.mockRestore();
    ended.mockRestore();
  });
  return running;
}

/** Long enough for whoever follows to have come to the end of the log, and wait. */
async function waiting(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await setImmediate();
}

onEveryStore('following the log', (makeStore) => {
  test('law 3: every event once, in order, while several write', async () => {
    const random = seeded();
    const store = makeStore();
    const writers = await Promise.all(range(1, 3).map(() => openedMarket(store)));
    const reader = await openedMarket(store);
    // One reads where it is written, one elsewhere, one from the middle on.
    const followers = [
      positions(writers[0]!.events({ follow: true, limit: 600 })),
      positions(reader.events({ follow: true, limit: 600 })),
      (async () => {
        await collect(reader.events({ follow: true, limit: 250 }));
        return positions(reader.events({ follow: true, after: 250, limit: 350 }));
      })(),
    ];
    await Promise.all(
      writers.map(async (writer) => {
        for (let left = 200; left > 0;) {
          const burst = Math.min(left, 1 + Math.floor(random() * 20));
          await Promise.all(range(1, burst).map((n) => writer.execute(viewService, { service_id: `s${n}` })));
          left -= burst;
          if (random() < 0.3) await setImmediate();
        }
      }),
    );
    expect(await Promise.all(followers)).toEqual([range(1, 600), range(1, 600), range(251, 600)]);
  });

  test('what is there already comes in pages, then what is committed, one by one', async () => {
    const app = await openedMarket(makeStore());
    await Promise.all(range(1, 1_100).map((n) => app.execute(viewService, { service_id: `s${n}` })));
    const events = app.events({ follow: true, after: 5 });
    const seen: number[] = [];
    for await (const { position } of events) {
      seen.push(position);
      if (position >= 1_100 && position < 1_120) await app.execute(viewService, { service_id: 's' });
      if (position === 1_120) break;
    }
    expect(seen).toEqual(range(6, 1_120));
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test('of some types only, from the end, and no further than its limit', async () => {
    const store = makeStore();
    const [app, other] = [await openedMarket(store), await openedMarket(store)];
    await views(app, 4);
    const created = collect(other.events({ follow: true, types: ['SERVICE_CREATED'], limit: 2 }));
    const later = positions(other.events({ follow: true, after: 4, limit: 6 }));
    await waiting();
    await app.execute(createService, { service_id: 'a' });
    await views(app, 3);
    await app.execute(createService, { service_id: 'b' });
    await app.execute(createService, { service_id: 'c' });
    expect((await created).map(({ event }) => event['service_id'])).toEqual(['a', 'b']);
    expect(await later).toEqual(range(5, 10));
    // These would wait for ever if they went on to ask.
    expect(await positions(app.events({ follow: true, limit: 10 }))).toEqual(range(1, 10));
    expect(await positions(app.events({ follow: true, limit: 0 }))).toEqual([]);
  });

  test('the history of a document', async () => {
    const store = makeStore();
    const [app, other] = [await openedMarket(store), await openedMarket(store)];
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    const follow = async (after: number, limit: number): Promise<(number | undefined)[]> =>
      (await collect(other.history(services, 's1', { follow: true, after, limit }))).map(
        ({ attachments }) => attachments.find(({ id }) => id === 's1')?.version,
      );
    const followers = [follow(0, 6), follow(1, 5)];
    await waiting();
    for (const n of range(1, 5)) {
      await app.execute(viewService, { service_id: 'another' });
      await app.execute(buyService, { service_id: 's1', buyer_id: `b${n}` });
    }
    expect(await Promise.all(followers)).toEqual([range(1, 6), range(2, 6)]);
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(collect(other.history(services, 's1', { follow: true, signal }))).rejects.toBe(reason);
    await expect(collect(other.history(services, 's1', { signal }))).rejects.toBe(reason);
  });

  test('the signal ends it with its reason, whatever it is doing, and nothing listens to it after that', async () => {
    const app = await openedMarket(makeStore());
    await views(app, 3);
    const reason = new Error('enough');
    for (const follow of [true, false]) {
      await expect(app.events({ follow, signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason);
      const between = new AbortController();
      const events = app.events({ follow, signal: between.signal });
      expect((await events.next()).value?.position).toBe(1);
      // Whoever holds an event and asks for no more is held by nothing.
      expect(getEventListeners(between.signal, 'abort')).toEqual([]);
      between.abort(reason);
      await expect(events.next()).rejects.toBe(reason);
      expect(await events.next()).toEqual({ done: true, value: undefined });
    }
    const timers = intervals();
    const controller = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { position } of app.events({ follow: true, signal: controller.signal })) seen.push(position);
    })();
    await vi.waitFor(() => expect(seen).toEqual([1, 2, 3]));
    await waiting();
    controller.abort(reason);
    await expect(following).rejects.toBe(reason);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    expect(timers.size).toBe(0);
  });

  test('closing the application ends it with Closed', async () => {
    const store = makeStore();
    const [app, other] = [await openedMarket(store), await openedMarket(store)];
    await views(app, 2);
    const timers = intervals();
    const many = range(1, 20).map(() => collect(app.events({ follow: true })));
    const between = app.events({ follow: true });
    await between.next();
    const elsewhere = positions(other.events({ follow: true, limit: 3 }));
    await waiting();
    const all = Promise.all(many.map((following) => expect(following).rejects.toBeInstanceOf(Closed)));
    await app.close();
    await all;
    await expect(between.next()).rejects.toBeInstanceOf(Closed);
    expect(() => app.events({ follow: true })).toThrow(Closed);
    await views(other, 1);
    expect(await elsewhere).toEqual([1, 2, 3]);
    expect(timers.size).toBe(0);
  });

  test('whoever wants no more leaves nothing behind, also while waiting', async () => {
    const app = await openedMarket(makeStore());
    const { signal } = new AbortController();
    await views(app, 1);
    const timers = intervals();
    const events = app.events({ follow: true, signal });
    expect((await events.next()).value?.position).toBe(1);
    const next = [events.next(), events.next()];
    await waiting();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    expect(await events.return?.()).toEqual({ done: true, value: undefined });
    const done = { done: true, value: undefined };
    expect([...(await Promise.all(next)), await events.next()]).toEqual([done, done, done]);
    // Before it has begun.
    expect(await app.events({ follow: true, signal }).return?.()).toEqual(done);
    for await (const { position } of app.events({ follow: true, signal })) {
      expect(position).toBe(1);
      break;
    }
    const thrown = app.events({ follow: true, signal });
    const pending = thrown.next().then(() => thrown.next());
    await waiting();
    const error = new Error('the reader’s own');
    await expect(thrown.throw?.(error)).rejects.toBe(error);
    expect(await pending).toEqual(done);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(timers.size).toBe(0);
  });

  test('a store that is away is waited for, and nothing is missed', async () => {
    const plain = makeStore();
    const store = troubled(plain);
    const writer = await openedMarket(plain);
    const logger = keepingLogger();
    const pauses: number[] = [];
    const runtime = machineRuntime();
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
      // Now and then it is looked what other servers have changed.
      if (ms !== IDLE_LOOK_MS) pauses.push(ms);
      return runtime.sleep(ms / 50, signal);
    };
    const app = await openOn({ store, ...parts, logger, reduction: 'off' }, { ...runtime, sleep });
    const seen: number[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const { position } of app.events({ follow: true, signal: controller.signal })) seen.push(position);
    })();
    let end = 0;
    const commits = async (count: number, together = false): Promise<void> => {
      if (together) await Promise.all(range(1, count).map(() => views(writer, 1)));
      else await views(writer, count);
      end += count;
    };
    await commits(3);
    await vi.waitFor(() => expect(seen).toEqual(range(1, end)));
    expect(pauses).toEqual([]);
    // The last one lets pages be read, but not whether the log still holds what was seen: what was read is not shown.
    for (const away of [['moved', 'read', 'commits'], ['read'], ['moved'], ['commits']] as const) {
      pauses.length = 0;
      logger.lines.length = 0;
      store.away(...away);
      await commits(7);
      await vi.waitFor(() => expect(pauses.length).toBeGreaterThan(away[0] === 'moved' && away.length === 1 ? 0 : 9));
      await commits(600, true);
      store.back();
      await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(end));
      expect(seen).toEqual(range(1, end));
      expect(logger.lines.map(({ level }) => level)).toEqual(['warn']);
      expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
    }
    // It can be ended meanwhile, with whatever reason.
    store.away('moved', 'read');
    pauses.length = 0;
    await vi.waitFor(() => expect(pauses.length).toBeGreaterThan(5));
    const reason = store.error();
    controller.abort(reason);
    await expect(following).rejects.toBe(reason);
    store.back();
    await app.close();
  });

  test('what isn’t an outage is no reason to wait', async () => {
    const store = troubled(makeStore());
    const app = await openedMarket(store);
    await views(app, 1);
    for (const where of ['read', 'moved'] as const) {
      store.failWith(() => new LogCorrupt('The page is damaged.'));
      store.away(where);
      await expect(collect(app.events({ follow: true }))).rejects.toBeInstanceOf(LogCorrupt);
      store.failWith();
      store.away('read');
      // Without following it is the caller's to ask again.
      await expect(collect(app.events())).rejects.toMatchObject({ code: 'StoreUnavailable' });
      store.back();
    }
    // A reason that looks like one is the caller's own.
    const logger = keepingLogger();
    await using quiet = await open({ store, ...parts, logger, reduction: 'off' });
    const controller = new AbortController();
    const following = collect(quiet.events({ follow: true, signal: controller.signal }));
    await waiting();
    controller.abort(store.error());
    await expect(following).rejects.toBe(controller.signal.reason);
    expect(logger.lines).toEqual([]);
  });

  test('law 9: a store that went back is noticed while following, though nothing is committed', async () => {
    const [now, older] = [makeStore(), makeStore()];
    const store = troubled(now, older);
    const past = await openedMarket(older);
    await views(past, 2);
    const app = await openedMarket(store);
    await views(app, 5);
    const seen: number[] = [];
    const following = (async () => {
      for await (const { position } of app.events({ follow: true })) seen.push(position);
    })();
    await vi.waitFor(() => expect(seen).toEqual(range(1, 5)));
    await waiting();
    store.goBack();
    await expect(following).rejects.toBeInstanceOf(HistoryDiverged);
    await expect(collect(app.events({ follow: true }))).rejects.toBeInstanceOf(HistoryDiverged);
    expect(seen).toEqual(range(1, 5));
  });

  test('options that make no sense are refused where they are given', async () => {
    const app = await openedMarket(makeStore());
    const wrong = [{ reverse: true }, { before: 5 }, { signal: {} }, { signal: null }, { limit: -1 }];
    for (const one of wrong) expect(() => app.events({ follow: true, ...one } as never)).toThrow(InvalidInput);
    expect(() => app.events({ follow: 'yes' } as never)).toThrow(InvalidInput);
    expect(() => app.history(services, 's1', { follow: 1 } as never)).toThrow(InvalidInput);
    const looks = Object.create(AbortSignal.prototype) as AbortSignal;
    expect(() => app.events({ signal: looks })).toThrow(InvalidInput);
    expect(await positions(app.events({ follow: false, reverse: true, before: 3 }))).toEqual([]);
    expect(await positions(app.events({ follow: true, reverse: false, limit: 0 }))).toEqual([]);
  });
});
