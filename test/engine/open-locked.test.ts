/** Opening while somebody else holds the write lock: only what would change the registry waits for it. */
import { domain, open, type } from 'tidemark';
import { expect, test } from 'vitest';
import { onLocalStores } from '../support/stores.ts';

const shop = domain({ events: { PUT: type<{ item_id: string }>() } });
const items = shop.collection('items', { key: 'item_id', initial: {}, reduce: { PUT: (state) => state } });
const put = shop.command('PUT_IT', {
  input: type<{ item_id: string }>(),
  decide: (_, input) => ({ type: 'PUT', ...input }),
});
const parts = { collections: [items], commands: [put] };

onLocalStores('opening', (makeStore) => {
  test('waits for no lock where nothing is to be registered, and reads', async () => {
    const store = makeStore();
    await using app = await open({ store, ...parts });
    await app.execute(put, { item_id: 'i' });
    const holder = await store.open();
    await holder.exclusive(async () => {
      const again = await open({ store, ...parts });
      expect((await again.get(items, 'i')).version).toBe(1);
      await again.close();
    });
    await holder.close();
  });
});
