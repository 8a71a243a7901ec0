/** Paths of keys and events of other shapes: what would concern nothing, and nobody would know, is no event. */
import { domain, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { commit } from '../../src/testing/conformance/batches.ts';
import { collect, keepingLogger, onLocalStores } from '../support/stores.ts';

const shop = domain({ events: { SHIPPED: type<{ line?: { sku?: string }; lines?: { sku?: string }[] }>() } });
const goods = shop.collection('goods', {
  key: { SHIPPED: ['line.sku', 'lines[].sku'] },
  initial: { shipped: 0 },
  reduce: { SHIPPED: ({ shipped }) => ({ shipped: shipped + 1 }) },
});
const ship = shop.command('SHIP', { input: type<object>(), decide: (_, fields) => ({ type: 'SHIPPED', ...fields }) });
const parts = { collections: [goods], commands: [ship] };

onLocalStores('an event in which a path meets another shape', (makeStore) => {
  test.each([
    ['line.sku', { line: [{ sku: 'a' }] }],
    ['line.sku', { line: 'a' }],
    ['lines[].sku', { lines: { sku: 'a' } }],
    ['lines[].sku', { line: { sku: 'b' }, lines: ['a'] }],
  ])('isn’t made, and collection and path are named: %s in %j', async (path, fields) => {
    await using app = await open({ store: makeStore(), ...parts, logger: keepingLogger() });
    expect(await app.execute(ship, fields as never)).toMatchObject({
      status: 'failed',
      reason: 'ERROR',
      details: {
        name: 'InvalidEvent',
        message: expect.stringMatching(`path ${RegExp.escape(path)} of collection goods`),
      },
      events: [{ event: { type: '$ERRORED' }, attachments: [] }],
    });
  });

  test('is made where only something is missing', async () => {
    await using app = await open({ store: makeStore(), ...parts });
    for (const fields of [
      {},
      { line: null, lines: null },
      { line: {}, lines: [{}] },
      { lines: [] },
      { lines: [null] },
    ]) {
      const { status, events } = await app.execute(ship, fields as never);
      expect([status, events[0]!.attachments]).toEqual(['succeeded', []]);
    }
    expect((await app.verify()).problems).toEqual([]);
  });

  test('is read as it is where an older release has stored it, and verify says what it is', async () => {
    const store = makeStore();
    {
      await using _ = await open({ store, ...parts });
      const session = await store.open();
      const { generation } = await session.registry();
      const event = { type: 'SHIPPED', schemaVersion: 1, json: '{"line":"a"}', attachments: [] };
      const seen = (await session.load([])).end;
      await session.append({ seen, generation, handled: new Map(), reads: [], commits: [commit('c1', event)] });
      await session.close();
    }
    await using app = await open({ store, ...parts });
    expect(await collect(app.events())).toMatchObject([{ event: { type: 'SHIPPED', line: 'a' }, attachments: [] }]);
    await app.execute(ship, { line: { sku: 'b' } } as never);
    expect((await app.fold(goods)).size).toBe(1);
    expect((await app.verify()).problems).toEqual([
      {
        code: 'Attachments',
        position: 1,
        message:
          "The event at position 1 is attached to nothing, but the keys can't look into it: " +
          'The path line.sku of collection goods needs an object, but met a string.',
      },
    ]);
  });
});
