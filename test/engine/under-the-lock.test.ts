/** The last try holds the store's write lock: whatever it asks, it asks of the section, and waits for no connection beside it. */
import { domain, open, type, type Store } from 'tidemark';
import type { Session } from 'tidemark/store';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';

const counter = domain({ events: { ADDED: type<{ counter_id: string; n: number }>() } });
const counters = counter.collection('counters', {
  key: 'counter_id',
  initial: { sum: 0 },
  reduce: { ADDED: ({ sum }, { n }) => ({ sum: sum + n }) },
});
const add = counter.command('ADD', {
  input: type<{ counter_id: string; n: number }>(),
  reads: ({ counter_id }) => ({ counter: counters.ref(counter_id) }),
  decide: (_, input) => ({ type: 'ADDED', ...input }),
});
const counting = { collections: [counters], commands: [add] } as const;

/** Notes what is asked of a session itself while one of its sections is open. */
function watched(store: Store, asked: string[]): Store {
  const open = async (opening?: Parameters<Store['open']>[0]): Promise<Session> => {
    const session = await store.open(opening);
    let open = 0;
    return new Proxy(session, {
      get: (_, name: keyof Session) => {
        const method: unknown = session[name];
        if (typeof method !== 'function') return method;
        if (name === 'exclusive') {
          const exclusive: Session['exclusive'] = (work) =>
            session.exclusive(async (locked) => {
              open += 1;
              return work(locked).finally(() => (open -= 1));
            });
          return exclusive;
        }
        return (...given: unknown[]) => {
          if (open > 0) asked.push(name);
          return Reflect.apply(method, session, given) as unknown;
        };
      },
    });
  };
  return { name: store.name, clock: store.clock, open };
}

onLocalStores('under the lock', (makeStore) => {
  test('nothing is asked of the session itself', async () => {
    const asked: string[] = [];
    const store = makeStore();
    await using app = await open({
      reduction: 'off',
      store: watched(store, asked),
      ...counting,
      limits: { triesMax: 1 },
    });
    await using other = await open({ store, ...counting });
    await app.execute(add, { counter_id: 'a', n: 1 }, { id: 'first' });
    await other.execute(add, { counter_id: 'a', n: 2 }, { id: 'others' });
    // The log has moved since it was last seen; one was executed before, and is read again; one rests on what has changed.
    const [moved, replayed, refused] = await Promise.allSettled([
      app.execute(add, { counter_id: 'b', n: 1 }),
      app.execute(add, { counter_id: 'a', n: 2 }, { id: 'others' }),
      app.execute(add, { counter_id: 'a', n: 3 }, { unchanged: [{ collection: 'counters', id: 'a', version: 1 }] }),
    ]);
    expect(moved).toMatchObject({ value: { status: 'succeeded' } });
    expect(replayed).toMatchObject({ value: { replayed: true, events: [{ position: 2 }] } });
    expect(refused).toMatchObject({ reason: { code: 'Conflict' } });
    expect(asked).toEqual([]);
    expect((await app.status()).counters.exclusive).toBeGreaterThan(1);
  });
});
