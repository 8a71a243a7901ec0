/** An application on a log that is opened for reading. */
import { join } from 'node:path';
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { expect, test } from 'vitest';
import { collect, temporaryFolder } from '../support/stores.ts';

const folder = temporaryFolder();

const shop = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
const items = shop.collection('items', { key: 'item_id', initial: { n: 0 }, reduce: { PUT: (_, { n }) => ({ n }) } });
const others = shop.collection('others', { key: 'n_id' as never, initial: {}, reduce: {} });
let prepared = 0;
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string; n: number }>(),
  prepare: () => (prepared += 1),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const parts = { collections: [items], commands: [put] };

test('reads all, and refuses a command before its prepare has called anybody', async () => {
  const file = join(folder, 'items.db');
  await using writer = await open({ store: sqlite(file), ...parts });
  await writer.execute(put, { item_id: 'i1', n: 1 }, { id: 'one' });
  await using reader = await open({ store: sqlite(file, { readOnly: true }), ...parts });
  expect(prepared).toBe(1);
  const refused = { code: 'NotWritable', retryable: false, message: expect.stringContaining('readOnly') };
  await expect(reader.execute(put, { item_id: 'i1', n: 2 })).rejects.toMatchObject(refused);
  expect(prepared).toBe(1);

  const following = collect(reader.events({ follow: true, limit: 2 }));
  await writer.execute(put, { item_id: 'i1', n: 3 });
  expect((await following).map(({ position }) => position)).toEqual([1, 2]);
  expect((await reader.get(items, 'i1')).state).toEqual({ n: 3 });
  expect((await reader.get(items, 'i1', { version: 1 })).state).toEqual({ n: 1 });
  expect((await reader.fold(items)).get('i1')!.version).toBe(2);
  expect(await collect(reader.history(items, 'i1'))).toHaveLength(2);
  expect(await reader.outcome('one')).toMatchObject({ status: 'succeeded', position: 1 });
  expect(await reader.verify()).toMatchObject({ ok: true, events: 2 });
  expect(await reader.status()).toMatchObject({ state: 'open', position: 2 });
});

const variant = (more: object) => {
  const other = domain({ events: { PUT: type<{ item_id: string; n: number }>() } });
  return other.collection('items', {
    key: 'item_id',
    initial: { n: 0 },
    reduce: { PUT: (_, { n }) => ({ n }) },
    ...more,
  });
};
const refused = (message: RegExp) => ({ code: 'NotWritable', message: expect.stringMatching(message) });

test('finds what others have stored, and refuses by name what would make documents or indexes', async () => {
  const file = join(folder, 'found.db');
  await using writer = await open({ store: sqlite(file), ...parts });
  await writer.execute(put, { item_id: 'i1', n: 1 });
  expect(await writer.count(items)).toBe(1);
  const store = sqlite(file, { readOnly: true });
  await using reader = await open({ store, ...parts });
  expect(await reader.count(items, { where: { n: 1 } })).toBe(1);
  expect((await reader.find(items)).documents).toMatchObject([{ id: 'i1', version: 1 }]);
  expect(await collect(reader.list(items))).toMatchObject([{ id: 'i1' }]);
  expect((await reader.watch(items, 'i1').next()).value).toMatchObject({ version: 1 });
  for (const dryRun of [false, true]) {
    await expect(reader.rebuild(items, { dryRun })).rejects.toMatchObject({
      code: 'NotWritable',
      message: expect.stringMatching(/^rebuild makes the documents of items again.*opened for reading/),
    });
  }
  const reading = (more: object, options: object = {}) =>
    open({ store, collections: [variant(more)], commands: [], ...options });
  await expect(reading({ indexes: [['n', 'x']] })).rejects.toMatchObject(
    refused(/items has no index of n, x in it.*leave the index out/),
  );
  await expect(reading({ definition: 2 })).rejects.toMatchObject(
    refused(/items isn't registered in it as in this code/),
  );
  await (await open({ store: sqlite(file), collections: [variant({ definition: 2 })], commands: [] })).close();
  const retired = [{ collection: 'items', definition: 2 }];
  await expect(reading({}, { retired })).rejects.toMatchObject(
    refused(/the definition 2 of items is registered in it, which would be removed.*leave it out of retired/),
  );
  await (await reading({})).close();
});

test('opens with what is registered, and says what isn’t', async () => {
  const file = join(folder, 'registered.db');
  await expect(open({ store: sqlite(file, { readOnly: true }), ...parts })).rejects.toMatchObject({ code: 'NotALog' });
  await (await open({ store: sqlite(file), ...parts })).close();
  const both = { ...parts, collections: [items, others] };
  await expect(open({ store: sqlite(file, { readOnly: true }), ...both })).rejects.toMatchObject({
    code: 'NotWritable',
    message: expect.stringMatching(/others isn't registered.*Open it once without readOnly/),
  });
  await (await open({ store: sqlite(file, { readOnly: true }), collections: [], commands: [put] })).close();
});
