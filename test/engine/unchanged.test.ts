/** `unchanged`: a form that was opened an hour ago. */
import { Conflict, domain, failure, InvalidInput, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { buyService, createService, parts, services, viewService } from '../support/market.ts';
import { onLocalStores } from '../support/stores.ts';

onLocalStores('unchanged', (makeStore) => {
  test('law 1: sent again, a command is answered from the ledger, whatever has changed since', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    const seen = await app.get(services, 's1');
    const buy = (): Promise<{ position: number; replayed: boolean }> =>
      app.execute(buyService, { service_id: 's1', buyer_id: 'b' }, { id: 'c1', unchanged: [seen] });
    const first = await buy();
    expect(await buy()).toEqual({ ...first, replayed: true });
    await app.get(services, 's1');
    expect(await buy()).toEqual({ ...first, replayed: true });
  });

  test('a neighbour in the batch that is only answered from the ledger changes nothing', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    const buy = (id: string, unchanged: object[] = []): Promise<{ status: string; replayed: boolean }> =>
      app.execute(buyService, { service_id: 's1', buyer_id: 'b' }, { id, unchanged: unchanged as never });
    await buy('c1');
    const seen = await app.get(services, 's1');
    const [again, fresh] = await Promise.all([buy('c1'), buy('c2', [seen])]);
    expect([again.replayed, fresh.status]).toEqual([true, 'succeeded']);
  });

  test('a neighbour that comes to nothing when it is decided again changes nothing', async () => {
    const both = domainOfTwo();
    await using two = await open({ store: makeStore(), ...both.parts });
    await two.execute(both.add, { thing_id: 'a', other_id: 'x' });
    const seen = await two.get(both.things, 'a');
    const results = await Promise.allSettled([
      two.execute(both.refuse, { thing_id: 'a' }),
      two.execute(both.add, { thing_id: 'a', other_id: 'x' }, { unchanged: [seen] }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  });

  test('two in one batch: what the first one stores is the second one’s conflict', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    const seen = await app.get(services, 's1');
    const input = { service_id: 's1', buyer_id: 'b' };
    const results = await Promise.allSettled(
      ['c1', 'c2', 'c3'].map((id) => app.execute(buyService, input, { id, unchanged: [seen] })),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(Conflict);
    expect(await app.outcome('c2')).toBeUndefined();
    expect((await app.get(services, 's1')).state.quantity).toBe(8);
  });

  test('a version that another server has seen and this one has not; and one that nobody has', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await using other = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 9 });
    await app.get(services, 's1');
    await other.execute(buyService, { service_id: 's1', buyer_id: 'b' });
    const seen = await other.get(services, 's1');
    const input = { service_id: 's1', buyer_id: 'c' };
    expect((await app.execute(buyService, input, { unchanged: [seen] })).status).toBe('succeeded');
    const never = { ...seen, version: 99 };
    await expect(app.execute(viewService, { service_id: 's1' }, { unchanged: [never] })).rejects.toThrow(InvalidInput);
  });
});

function domainOfTwo() {
  const two = domain({ events: { ADDED: type<{ thing_id: string; other_id: string }>() } });
  const things = two.collection('things', {
    key: 'thing_id',
    initial: { n: 0 },
    reduce: { ADDED: ({ n }) => ({ n: n + 1 }) },
  });
  const add = two.command('ADD', {
    input: type<{ thing_id: string; other_id: string }>(),
    decide: (_, input) => ({ type: 'ADDED', ...input }),
  });
  const refuse = two.command('REFUSE', {
    input: type<{ thing_id: string }>(),
    reads: ({ thing_id }) => ({ thing: things.ref(thing_id) }),
    decide: () => failure('NO'),
  });
  return { things, add, refuse, parts: { collections: [things], commands: [add, refuse] } };
}
