/** An application that is kept while the modules that define its commands and collections are loaded again. */
import { domain, failure, InvalidDefinition, open, type, UnknownCollection, UnknownCommand } from 'tidemark';
import { memory } from 'tidemark/memory';
import { given } from 'tidemark/testing';
import { expect, test } from 'vitest';

/** What a module defines, each time that it is loaded. */
function load() {
  const shop = domain({ events: { OPENED: type<{ shop_id: string }>() } });
  const shops = shop.collection('shops', { key: 'shop_id', initial: {}, reduce: { OPENED: (one) => one } });
  const openShop = shop.command('OPEN_SHOP', {
    input: type<{ shop_id: string }>(),
    decide: (_, input) => ({ type: 'OPENED', ...input }),
  });
  const other = shop.command('OTHER', { input: type<object>(), decide: () => failure('NO') });
  const others = shop.collection('others', { key: 'shop_id', initial: {}, reduce: {} });
  return { shops, openShop, other, others };
}

test('is told that it was kept, and what to do', async () => {
  const [before, after] = [load(), load()];
  await using app = await open({ store: memory(), collections: [before.shops], commands: [before.openShop] });
  const why =
    /another of the same name.*loaded again.*still has the old one.*Open the application in a module that is loaded again/;
  const input = { shop_id: 's1' };
  const command: unknown = await app.execute(after.openShop, input).catch((error: unknown) => error);
  expect(command).toBeInstanceOf(UnknownCommand);
  expect(command).toMatchObject({
    message: expect.stringMatching(why),
    details: { command: 'OPEN_SHOP', reloaded: true },
  });
  for (const reading of [
    () => app.get(after.shops, 's1'),
    () => app.get(after.shops, ['s1']),
    () => app.fold(after.shops),
    async () => app.history(after.shops, 's1'),
  ]) {
    const collection: unknown = await reading().catch((error: unknown) => error);
    expect(collection).toBeInstanceOf(UnknownCollection);
    expect(collection).toMatchObject({
      message: expect.stringMatching(why),
      details: { collection: 'shops', reloaded: true },
    });
  }
  // What was never given is told as before.
  await expect(app.execute(after.other as never, {} as never)).rejects.toMatchObject({
    message: expect.stringContaining('add it to commands'),
    details: { reloaded: false },
  });
  await expect(app.get(after.others as never, 's1')).rejects.toMatchObject({
    message: expect.stringContaining('add it to collections'),
    details: { reloaded: false },
  });
  expect((await app.status()).position).toBe(0);
});

test('half of what a module defines, and half of what it defined when it was loaded again, is no application', async () => {
  const [before, after] = [load(), load()];
  const opening = open({ store: memory(), collections: [before.shops], commands: [after.openShop] });
  await expect(opening).rejects.toMatchObject({
    code: 'InvalidDefinition',
    message: expect.stringContaining('loaded more than once'),
  });
});

test('given: a document of another collection of that name isn’t looked for among those of the first', () => {
  const [before, after] = [load(), load()];
  const scenario = given([before.shops], [{ type: 'OPENED', shop_id: 's1' }]);
  scenario.expectDocument(before.shops, 's1', {});
  expect(() => scenario.expectDocument(after.shops, 's1', {})).toThrow(InvalidDefinition);
  expect(() => scenario.expectDocument(after.shops, 's1', {})).toThrow('another of that name is among the parts');
});
