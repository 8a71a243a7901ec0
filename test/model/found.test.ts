/** What the simulation has found, each as a story of its own: a store that changes its answer between two calls. */
import { domain, open, StoreUnavailable, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { describe, expect, it } from 'vitest';
import type { Session } from '../../src/store/store.ts';
import { buyService, createService, parts, services } from '../support/market.ts';
import { keepingLogger } from '../support/stores.ts';

type Calls = { -readonly [Name in keyof Session]?: Session[Name] };

/** A store whose sessions do something else where the story says so. `to` leads every later call to another log. */
function scripted(first: Store, script: (sound: () => Session, to: (store: Store) => Promise<void>) => Calls): Store {
  return {
    name: 'scripted',
    async open() {
      let sound = await first.open();
      const to = async (store: Store): Promise<void> => void (sound = await store.open());
      const calls = script(() => sound, to);
      return new Proxy({} as Session, {
        get: (_, name: keyof Session) => {
          // A promise asks whether it has a `then`.
          return calls[name] ?? (sound[name] as (() => unknown) | undefined)?.bind(sound);
        },
      });
    },
  };
}

/** A log in which these services were created. */
async function logOf(
  ...created: readonly { service_id: string; seller_id?: string; quantity?: number }[]
): Promise<Store> {
  const store = memory();
  await using app = await open({ store, ...parts });
  for (const input of created) await app.execute(createService, input);
  return store;
}

const clock = (): number => 1_000_000;
const bought = { service_id: 's1', buyer_id: 'b1' };
const logger = keepingLogger();

describe('what the simulation has found', () => {
  it('law 1, lessons 10 and 23: a commit that got no answer stays in doubt, whatever the next try says', async () => {
    let sent = 0;
    const store = scripted(await logOf({ service_id: 's1' }), (sound) => ({
      append: async (batch) => {
        sent += 1;
        if (sent === 2) throw new StoreUnavailable('The store is away.');
        const answer = await sound().append(batch);
        if (sent === 1) throw new StoreUnavailable('The connection was lost.', { unknown: true });
        return answer;
      },
    }));
    await using app = await open({ store, ...parts, logger });
    const error: unknown = await app.execute(buyService, bought, { id: 'one' }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'StoreUnavailable', details: { unknown: true } });
    expect(await app.execute(buyService, bought, { id: 'one' })).toMatchObject({ status: 'succeeded', replayed: true });
  });

  it('law 9, lesson 22: an outcome is never told without its events: a store that went back meanwhile is noticed', async () => {
    const older = await logOf({ service_id: 's1' });
    const newer = await logOf({ service_id: 's1' });
    const writer = await open({ store: newer, ...parts });
    await writer.execute(buyService, bought, { id: 'one' });
    const store = scripted(newer, (sound, to) => ({
      read: async (range) => {
        await to(older);
        return sound().read(range);
      },
    }));
    await using app = await open({ store, ...parts, logger });
    await expect(app.outcome('one')).rejects.toMatchObject({ code: 'HistoryDiverged' });
  });

  it('laws 5 and 9, lesson 22: nothing is stored on a document from a history that is gone, at the same version', async () => {
    const [lost, found] = [
      await logOf({ service_id: 's1', seller_id: 'ann' }),
      await logOf({ service_id: 's1', seller_id: 'bob' }),
    ];
    const store = scripted(memory(), (sound, to) => {
      let loads = 0;
      return {
        load: async (requests, options) => {
          // Opened on an empty log; the document comes from a log that had grown, and goes back before the append.
          if (requests.length > 0 && (loads += 1) === 1) {
            await to(lost);
            const loaded = await sound().load(requests, options);
            await to(found);
            return loaded;
          }
          return sound().load(requests, options);
        },
      };
    });
    await using app = await open({ store, ...parts, logger });
    await expect(app.execute(buyService, bought)).rejects.toMatchObject({ code: 'HistoryDiverged' });
    const check = await open({ store: found, ...parts });
    expect((await check.get(services, 's1')).version).toBe(1);
  });

  it('law 9, lesson 22: what a read has seen while a batch was under way must be on the history that took the batch', async () => {
    const [lost, found] = [memory({ clock }), memory({ clock })];
    const logs = await Promise.all([lost, found].map((store) => open({ store, ...parts })));
    for (const log of logs) await log.execute(createService, { service_id: 's1' }, { id: 'same' });
    const store = scripted(found, (sound, to) => ({
      append: async (batch) => {
        await logs[0]!.execute(createService, { service_id: 's2' }, { id: 'lost' });
        await to(lost);
        expect((await app.get(services, 's2')).exists).toBe(true);
        await to(found);
        return sound().append(batch);
      },
    }));
    const app = await open({ store, ...parts, clock, logger });
    await expect(app.execute(buyService, bought)).rejects.toMatchObject({ code: 'HistoryDiverged' });
    expect((await app.status()).state).toBe('diverged');
  });

  it('law 9, lesson 22: a conflict isn’t told from memory of a history that is gone', async () => {
    const older = await logOf({ service_id: 's1' });
    let leave: () => Promise<void>;
    const store = scripted(await logOf({ service_id: 's1', quantity: 5 }), (_, to) => {
      leave = () => to(older);
      return {};
    });
    await using app = await open({ store, ...parts, logger });
    const before = await app.get(services, 's1');
    await app.execute(buyService, bought);
    await leave!();
    const again = app.execute(buyService, bought, { unchanged: [before] });
    await expect(again).rejects.toMatchObject({ code: 'HistoryDiverged' });
  });

  it('law 5: nothing is decided at a time before what it rests on, by a server whose clock is behind', async () => {
    const store = memory();
    await using behind = await open({ store, ...parts, clock: () => 1_000_000 });
    await using ahead = await open({ store, ...parts, clock: () => 1_060_000 });
    const created = await ahead.execute(createService, { service_id: 's1' });
    const sold = await behind.execute(buyService, bought);
    expect(sold.status).toBe('succeeded');
    expect(sold.events[0]!.time).toBe(created.events[0]!.time);
  });

  it('law 1: a command that was executed is answered, though a document it rested on can’t be read any more', async () => {
    const shop = domain({ events: { SOLD: type<{ item_id: string; poison: boolean }>() } });
    const items = shop.collection('items', {
      key: 'item_id',
      initial: { sold: 0 },
      reduce: {
        SOLD: ({ sold }, { poison }) => {
          if (poison) throw new Error('poisoned');
          return { sold: sold + 1 };
        },
      },
    });
    const sell = shop.command('SELL', {
      input: type<{ item_id: string; poison: boolean }>(),
      decide: (_, input) => ({ type: 'SOLD', ...input }),
    });
    await using app = await open({ store: memory(), collections: [items], commands: [sell], logger });
    const unchanged = [await app.get(items, 'i1')];
    const input = { item_id: 'i1', poison: false };
    await app.execute(sell, input, { id: 'one', unchanged });
    await app.execute(sell, { item_id: 'i1', poison: true });
    await expect(app.get(items, 'i1')).rejects.toMatchObject({ code: 'ReducerFailed' });
    expect(await app.execute(sell, input, { id: 'one', unchanged })).toMatchObject({ position: 1, replayed: true });
    await expect(app.execute(sell, input, { id: 'two', unchanged })).rejects.toMatchObject({ code: 'ReducerFailed' });
  });
});
