/** Finding documents by an index, next to the bare query; and a page deep in a list. */
import { DatabaseSync } from 'node:sqlite';
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { median } from '../workload.ts';

const DOCUMENTS = 100_000;
const SAMPLES = 500;
/** Before anything is measured: until then the code is being compiled, ours as well as that of the bare query. */
const WARM = 3_000;
/** The default of a page. */
const LIMIT = 50;
const PRICES = 1_000;

const shop = domain({ events: { OFFERED: type<{ item_id: string; price: number; title: string }>() } });
const items = shop.collection('items', {
  key: 'item_id',
  initial: { price: 0, title: '' },
  reduce: { OFFERED: (_, { price, title }) => ({ price, title }) },
  indexes: ['price'],
});
const offer = shop.command('OFFER', {
  input: type<{ from: number; count: number }>(),
  decide: (_, { from, count }) =>
    Array.from({ length: count }, (_, n) => ({
      type: 'OFFERED' as const,
      item_id: `item-${from + n}`,
      price: ((from + n) * 7_919) % PRICES,
      title: `Item number ${from + n}, as it is offered`,
    })),
});
const parts = { collections: [items], commands: [offer] } as const;

export async function finding({ fresh, quick }: Bench): Promise<Figure[]> {
  const file = fresh();
  const count = quick ? DOCUMENTS / 10 : DOCUMENTS;
  await using app = await open({ store: sqlite(file), ...parts });
  const each = 500;
  await Promise.all(
    Array.from({ length: count / each }, (_, n) => app.execute(offer, { from: n * each, count: each })),
  );
  if ((await app.count(items, { where: { price: 7 } })) !== count / PRICES) throw new Error('Documents are missing.');
  const bare = bareTable(file);
  const [ours, sql, first, deep]: [number[], number[], number[], number[]] = [[], [], [], []];
  const orderBy = [{ price: 'asc' }] as const;
  const far = await pageAt(app, Math.floor(count / 100 / 2));
  const warm = quick ? 20 : WARM;
  for (let n = -warm; n < (quick ? 20 : SAMPLES); n += 1) {
    const price = ((n + warm) * 31) % PRICES;
    const started = performance.now();
    const found = await app.find(items, { where: { price: { gte: price } }, orderBy, limit: LIMIT });
    const between = performance.now();
    const rows = bare(price);
    const ended = performance.now();
    if (found.documents.length !== rows) throw new Error('The bare query finds others.');
    if (n < 0) continue;
    ours.push(between - started);
    sql.push(ended - between);
    const beginning = performance.now();
    await app.find(items, { orderBy, limit: LIMIT });
    const middle = performance.now();
    await app.find(items, { orderBy, limit: LIMIT, after: far });
    deep.push(performance.now() - middle);
    first.push(middle - beginning);
  }
  return [
    {
      name: `${LIMIT} of ${count.toLocaleString('en')} documents by an index: ms`,
      ours: median(ours),
      bare: median(sql),
      ratio: median(ours.map((time, n) => time / sql[n]!)),
      atMost: LIMITS.finding.indexedMax,
    },
    {
      name: 'a page deep in a list, of the first: ms',
      ours: median(deep),
      bare: median(first),
      ratio: median(deep.map((time, n) => time / first[n]!)),
      atMost: LIMITS.finding.deepMax,
    },
  ];

  async function pageAt(from: typeof app, pages: number) {
    let after: Awaited<ReturnType<typeof from.find<typeof items>>>['next'];
    for (let n = 0; n < pages; n += 1) ({ next: after } = await from.find(items, { orderBy, limit: 100, after }));
    return after;
  }
}

/** The same documents in a table of their own, with an index; the query parses what it finds, as a caller would. */
function bareTable(file: string): (price: number) => number {
  const database = new DatabaseSync(`${file}-bare`);
  database.exec(`ATTACH '${file}' AS log; CREATE TABLE items (id TEXT PRIMARY KEY, version INTEGER, price INTEGER, state TEXT);
    INSERT INTO items SELECT id, version, state ->> 'price', state FROM log.stored;
    CREATE INDEX by_price ON items (price, id); DETACH log`);
  // As much as the log has.
  database.exec('PRAGMA cache_size = -32768');
  const query = database.prepare(
    `SELECT id, version, state FROM items WHERE price >= ? ORDER BY price, id LIMIT ${LIMIT}`,
  );
  return (price) => query.all(price).map((row) => JSON.parse(String(row['state'])) as unknown).length;
}
