/** A document that others have moved, and that is damaged where it has: who doesn't rest on it is served, and told what is so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { domain, open, type, type Store } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { testDatabase } from '../support/postgres.ts';

const shop = domain({ events: { SOLD: type<{ item_id: string; n: number }>() } });
const items = shop.collection('items', {
  key: 'item_id',
  initial: { sum: 0 },
  reduce: { SOLD: ({ sum }, { n }) => ({ sum: sum + n }) },
});
const sell = shop.command('SELL', {
  input: type<{ item_id: string }>(),
  reads: ({ item_id }) => ({ item: items.ref(item_id) }),
  decide: ({ item }, { item_id }) => ({ type: 'SOLD', item_id, n: item.state.sum + 1 }),
});
const parts = { collections: [items], commands: [sell] } as const;

/** More events than one answer tells of a document. The rest must be loaded. */
const MUCH = 130;

interface LosingStore {
  readonly store: Store;
  /** Removes the event at a position, behind the store's back. */
  readonly lose: (position: number) => Promise<unknown>;
}

function damagedWhereItMoved(makeStore: () => LosingStore): void {
  test.for([
    [2, 8, 'few new events'],
    [MUCH, 8, 'more of them than are told'],
    [2, 1, 'few, and it is decided under the lock'],
    [MUCH, 1, 'many, and it is decided under the lock'],
  ] as const)('%i events, %i tries: %s', async ([count, triesMax]) => {
    const { store, lose } = makeStore();
    await using app = await open({ store, ...parts, limits: { triesMax }, reduction: 'off' });
    await using other = await open({ store, ...parts, reduction: 'off' });
    await app.execute(sell, { item_id: 'torn' });
    await app.execute(sell, { item_id: 'sound' });
    for (let n = 0; n < count; n += 1) await other.execute(sell, { item_id: 'torn' });
    const { position } = await other.status();
    await lose(position);
    for (let round = 1; round <= 3; round += 1) {
      const [torn, sound, fresh] = await Promise.allSettled([
        app.execute(sell, { item_id: 'torn' }, { id: `torn ${round}` }),
        app.execute(sell, { item_id: 'sound' }),
        app.execute(sell, { item_id: `new ${round}` }),
      ]);
      expect(torn).toMatchObject({ status: 'rejected', reason: { code: 'LogCorrupt' } });
      expect([sound, fresh]).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
      expect(await app.outcome(`torn ${round}`)).toBeUndefined();
    }
    // What was acknowledged is stored, once.
    expect(await app.get(items, 'sound')).toMatchObject({ version: 4, state: { sum: 15 } });
    expect(await app.get(items, 'new 3')).toMatchObject({ version: 1 });
    await expect(app.get(items, 'torn')).rejects.toMatchObject({ code: 'LogCorrupt' });
  });
}

describe('a document that is damaged where others have moved it (sqlite)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-stale-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;
  damagedWhereItMoved(() => {
    const file = join(folder, `${(files += 1)}.db`);
    return {
      store: sqlite(file),
      async lose(position) {
        using database = new DatabaseSync(file);
        database.exec(`DELETE FROM events WHERE position = ${position}`);
      },
    };
  });
});

describe('a document that is damaged where others have moved it (postgres)', () => {
  const database = testDatabase();
  let schemas = 0;
  damagedWhereItMoved(() => {
    const schema = `torn_${(schemas += 1)}`;
    return {
      store: database.store({ schema }),
      lose: (position) => database.run(`DELETE FROM ${schema}.events WHERE position = ${position}`),
    };
  });
});
