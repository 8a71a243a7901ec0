/** Commands that read many documents, and documents that aren't in memory. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { median } from '../workload.ts';

const WIDE = 200;
const COLD = [20, 2_000] as const;
const SAMPLES = 60;
/** Events added to each document at once: more would not fit into the queue. */
const ADDED = 20;
/** Events of a long document, and of a commit. */
const LONG = 100_000;
const COMMIT = 500;

const stock = domain({ events: { COUNTED: type<{ item_ids: string[]; n: number; place: string }>() } });
const items = stock.collection('items', {
  key: 'item_ids',
  initial: { n: 0, places: 0 },
  reduce: { COUNTED: (item, { n }) => ({ n: item.n + n, places: item.places + 1 }) },
});
const count = stock.command('COUNT', {
  input: type<{ item_ids: string[]; n: number }>(),
  reads: ({ item_ids }) => ({ found: item_ids.map((id) => items.ref(id)) }),
  decide: ({ found }, input) => ({ type: 'COUNTED', ...input, place: `shelf ${found.length}` }),
});
const add = stock.command('ADD', {
  input: type<{ item_ids: string[]; n: number }>(),
  decide: (_, input) => ({ type: 'COUNTED', ...input, place: 'somewhere' }),
});
const addMany = stock.command('ADD_MANY', {
  input: type<{ ids: string[] }>(),
  decide: (_, { ids }) => ids.map((id) => ({ type: 'COUNTED' as const, item_ids: [id], n: 1, place: 'somewhere' })),
});
const parts = { collections: [items], commands: [count, add, addMany] } as const;

export async function documents(bench: Bench): Promise<Figure[]> {
  return [...(await folded(bench)), await stored(bench)];
}

/** Nothing is stored of these: they are folded from their events. */
async function folded({ fresh, quick }: Bench): Promise<Figure[]> {
  const file = fresh();
  const figures: Figure[] = [];
  {
    await using app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
    const wide = Array.from({ length: WIDE }, (_, n) => `wide-${n}`);
    const times: number[] = [];
    for (let n = 0; n < SAMPLES; n += 1) {
      const started = performance.now();
      await app.execute(count, { item_ids: wide, n });
      times.push(performance.now() - started);
    }
    figures.push({ name: `a command of ${WIDE} documents: ms`, ours: median(times) });
    for (const events of COLD) {
      const ids = Array.from({ length: quick ? 5 : SAMPLES }, (_, n) => `cold-${events}-${n}`);
      for (let n = 0; n < events; n += ADDED) {
        await Promise.all(
          ids.flatMap((id) =>
            Array.from({ length: Math.min(ADDED, events - n) }, () => app.execute(add, { item_ids: [id], n: 1 })),
          ),
        );
      }
    }
  }
  for (const events of COLD) {
    const ours: number[] = [];
    const bare: number[] = [];
    const database = new DatabaseSync(file, { readOnly: true, returnArrays: true });
    const query = database.prepare(
      `SELECT a.version, e.position, e.type, e.schema_version, e.time, e.json FROM documents d
       JOIN attachments a ON a.document = d.number JOIN events e ON e.position = a.position WHERE d.collection = (SELECT number FROM names WHERE name = 'items') AND d.id = ? ORDER BY a.version`,
    );
    await using app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
    await app.get(items, 'wide-0');
    for (let n = 0; n < (quick ? 5 : SAMPLES); n += 1) {
      const id = `cold-${events}-${n}`;
      const queried = performance.now();
      if (query.all(id).length !== events) throw new Error('The bare query finds other events.');
      const started = performance.now();
      await app.get(items, id);
      ours.push(performance.now() - started);
      bare.push(started - queried);
    }
    database.close();
    figures.push({
      name: `loading a cold document of ${events} events: ms`,
      ours: median(ours),
      bare: median(bare),
      ratio: median(ours.map((time, index) => time / bare[index]!)),
      atMost: events === 20 ? LIMITS.coldLoadMax : undefined,
    });
  }
  return figures;
}

/** These are stored: loading begins there. */
async function stored({ fresh, quick }: Bench): Promise<Figure> {
  const file = fresh();
  const samples = quick ? 5 : SAMPLES;
  const many = quick ? LONG / 20 : LONG;
  {
    await using app = await open({ store: sqlite(file), ...parts });
    for (let n = 0; n < many; n += COMMIT)
      await app.execute(addMany, { ids: Array.from({ length: COMMIT }, () => 'long') });
    const short = Array.from({ length: samples }, (_, n) => `short-${n}`);
    for (let n = 0; n < COLD[0]; n += 1) await app.execute(addMany, { ids: short });
    while ((await app.status()).reduction.lagEvents > 0) await sleep(20);
  }
  const took = async (id: string): Promise<number> => {
    await using app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
    await app.get(items, 'nobody');
    const started = performance.now();
    const { version } = await app.get(items, id);
    const ms = performance.now() - started;
    if (version !== (id === 'long' ? many : COLD[0])) throw new Error(`${id} has version ${version}.`);
    return ms;
  };
  const [long, short]: [number[], number[]] = [[], []];
  for (let n = 0; n < samples; n += 1) {
    long.push(await took('long'));
    short.push(await took(`short-${n}`));
  }
  return {
    name: `loading a cold document of ${many.toLocaleString('en')} events that is stored, of one of ${COLD[0]}: ms`,
    ours: median(long),
    bare: median(short),
    ratio: median(long) / median(short),
    atMost: LIMITS.coldLongMax,
  };
}
