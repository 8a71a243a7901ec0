/** What `verify` must not take for damage, nor count: what others write meanwhile, and what keeps a look from being made. */
import {
  Closed,
  domain,
  DomainOutdated,
  event,
  HistoryDiverged,
  InvalidInput,
  LogCorrupt,
  open,
  StoreUnavailable,
  type,
  type Store,
} from 'tidemark';
import { memory } from 'tidemark/memory';
import { describe, expect, test } from 'vitest';
import type { Session } from '../../src/store/store.ts';
import { changedStore } from '../faults/over-session.ts';
import { buyService, createService, parts } from '../support/market.ts';
import { collect, onLocalStores } from '../support/stores.ts';

const STEPS = ['load', 'read', 'commits', 'documents', 'check', 'registry'] as const;

/** `store`, with something done before each call of its sessions. */
function before(store: Store, act: (step: (typeof STEPS)[number]) => Promise<void>): Store {
  return changedStore(
    store,
    (session) =>
      Object.fromEntries(
        STEPS.map((step) => [
          step,
          async (...args: never[]) => {
            await act(step);
            return (session[step] as (...args: never[]) => Promise<unknown>)(...args);
          },
        ]),
      ) as Partial<Session>,
  );
}

onLocalStores('law 9: verify, with commands slipped in between its steps', (makeStore) => {
  test('counts what there was at the end that it names, and nothing else', async () => {
    const store = makeStore();
    await using other = await open({ store, ...parts });
    let slipping = false;
    let made = 0;
    const slipped = before(store, async () => {
      if (!slipping) return;
      slipping = false;
      made += 1;
      // A document of its own, and one more event for one that is there.
      await other.execute(createService, { service_id: `late${made}` });
      await other.execute(buyService, { service_id: 's1', buyer_id: `b${made}` });
      // This server's memory moves on meanwhile, too.
      await app.get(parts.collections[1], 's1');
      slipping = true;
    });
    await using app = await open({ store: slipped, ...parts });
    await app.execute(createService, { service_id: 's1', quantity: 1_000_000 });
    await app.execute(createService, { service_id: 's2' });

    slipping = true;
    const { position, hash, ...verified } = await app.verify();
    slipping = false;
    expect(made).toBeGreaterThan(6);
    // The end may be one of those that were slipped in before it was first asked for.
    const late = (position - 2) / 2;
    expect(verified).toEqual({
      ok: true,
      commits: position,
      events: position,
      // s1, s2, the seller; and of each command that came before: a service and a buyer.
      documents: 3 + 2 * late,
      compared: expect.any(Number),
      problems: [],
    });
    expect(verified.compared).toBeLessThanOrEqual(verified.documents);
    expect((await app.verify({ expect: { position, hash } })).problems).toEqual([]);
  });
});

describe('law 9: what keeps a look from being made is thrown by its own name', () => {
  const faults = [
    new StoreUnavailable('away'),
    new HistoryDiverged('gone back'),
    new DomainOutdated('too old'),
    new InvalidInput('not a batch'),
    new Closed('closed'),
    new TypeError('a defect'),
  ];
  const throwing = (error: Error, at: (typeof STEPS)[number]) => {
    let on = false;
    const store = before(memory(), async (step) => {
      if (on && step === at) throw error;
    });
    return { store, start: () => void (on = true) };
  };

  test.each(STEPS.flatMap((step) => faults.map((error) => [step, error] as const)))('%s: %s', async (step, error) => {
    const { store, start } = throwing(error, step);
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1' });
    const { position, hash } = await app.status();
    start();
    await expect(app.verify({ expect: { position, hash } })).rejects.toBe(error);
  });

  test.each(['read', 'documents', 'check'] as const)('control: damage is a finding, in %s', async (step) => {
    const { store, start } = throwing(new LogCorrupt('damaged', { position: 1 }), step);
    await using app = await open({ store, ...parts });
    await app.execute(createService, { service_id: 's1' });
    start();
    const { ok, problems } = await app.verify();
    expect(ok).toBe(false);
    expect(problems).toContainEqual(expect.objectContaining({ message: expect.stringMatching(/damaged/) }));
  });
});

function release(version: 1 | 2) {
  const fields = type<{ thing_id: string }>();
  const { collection, command } = domain({
    events: { PUT: version === 1 ? fields : event(fields, { version: 2, upcast: { 1: (old) => old } }) },
  });
  const things = collection('things', {
    key: 'thing_id',
    initial: { n: 0 },
    reduce: { PUT: ({ n }) => ({ n: n + 1 }) },
  });
  const put = command('PUT_IT', { input: fields, decide: (_, input) => ({ type: 'PUT', ...input }) });
  // What the newer release stored, the older one could begin from.
  return { things, put, parts: { collections: [things], commands: [put], reduction: 'off' } as const };
}

onLocalStores('law 9: a release that is older than the log', (makeStore) => {
  test('says so, and doesn’t call the log damaged', async () => {
    const store = makeStore();
    const [old, newer] = [release(1), release(2)];
    await using before = await open({ store, ...old.parts });
    await before.execute(old.put, { thing_id: 'a' });
    await using after = await open({ store, ...newer.parts });
    await after.execute(newer.put, { thing_id: 'b' });
    expect(await after.verify()).toMatchObject({ ok: true, documents: 2 });
    const outdated = expect.objectContaining({ code: 'DomainOutdated' });
    await expect(before.verify()).rejects.toEqual(outdated);
    await expect(before.get(old.things, 'b')).rejects.toEqual(outdated);
    await expect(before.fold(old.things)).rejects.toEqual(outdated);
  });
});

describe('law 9: verify, while another release brings collections along', () => {
  const events = { SOLD: type<{ seller_id: string; buyer_id: string }>() };
  const shop = domain({ events });
  const defined = <Name extends string>(name: Name, key: 'seller_id' | 'buyer_id', definition: number, of = shop) =>
    of.collection(name, {
      definition,
      key,
      initial: { sold: 0 },
      reduce: { SOLD: ({ sold }) => ({ sold: sold + 1 }) },
    });
  const sell = shop.command('SELL', {
    input: type<{ seller_id: string; buyer_id: string }>(),
    decide: (_, input) => ({ type: 'SOLD', ...input }),
  });
  const sellers = defined('sellers', 'seller_id', 1);
  const raised = defined('sellers', 'buyer_id', 2, domain({ events }));
  const commands = [sell];

  test.each([
    ['a new collection', defined('buyers', 'buyer_id', 1)],
    ['another key for its own', raised],
  ])('takes %s for no damage', async (_, brought) => {
    for (const at of STEPS) {
      const store = memory();
      let isBringing = false;
      const app = await open({
        store: before(store, async (step) => {
          if (!isBringing || step !== at) return;
          isBringing = false;
          await using _ = await open({ store, collections: [brought], commands: [], definitions: 'before' });
          // Its events were attached: this server knows it from now on.
          await app.get(sellers, 'ann');
        }),
        collections: [sellers],
        commands,
      });
      await using _ = app;
      await app.execute(sell, { seller_id: 'ann', buyer_id: 'bob' });
      isBringing = true;
      expect({ at, ...(await app.verify()) }).toMatchObject({ ok: true, problems: [], documents: 1 });
    }
  });

  test('readers are not told of documents by a key that another server has brought along', async () => {
    const store = memory();
    await using other = await open({ store, collections: [sellers], commands });
    await other.execute(sell, { seller_id: 'ann', buyer_id: 'bob' });
    const brought = { step: 'read', done: false };
    const bringing = before(store, async (step) => {
      if (step !== brought.step || brought.done) return;
      brought.done = true;
      await using _ = await open({ store, collections: [raised], commands: [], definitions: 'before' });
    });
    await using app = await open({ store: bringing, collections: [sellers], commands });
    const told = await collect(app.events());
    expect(told.map(({ attachments }) => attachments)).toEqual([[{ collection: 'sellers', id: 'ann', version: 1 }]]);
    expect(brought.done).toBe(true);
  });
});
