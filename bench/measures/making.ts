/** Making documents from old events: a raised definition, next to folding the whole log; and a new collection. */
import { setTimeout as sleep } from 'node:timers/promises';
import { domain, open, type } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import { BareLoop } from '../bare.ts';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { makeMarket, median } from '../workload.ts';

const EVENTS = 1_000_000;
const BUYERS = 45_000;

/** The marketplace in its second month: the same events. */
function later(definition: number) {
  const market = domain({
    events: {
      SERVICE_CREATED: type<{ service_id: string; seller_id: string; price: number; quantity: number }>(),
      SERVICE_BOUGHT: type<{ service_id: string; buyer_id: string; price: number }>(),
    },
  });
  const services = market.collection('services', {
    key: 'service_id',
    initial: { price: 0, sold: 0 },
    reduce: {
      SERVICE_CREATED: (_, { price }) => ({ price, sold: 0 }),
      SERVICE_BOUGHT: (service) => ({ ...service, sold: service.sold + 1 }),
    },
    definition,
  });
  const users = market.collection('users', {
    key: ['buyer_id', 'seller_id'],
    initial: { spent: 0, times: 0 },
    reduce: { SERVICE_BOUGHT: ({ spent, times }, { price }) => ({ spent: spent + price, times: times + 1 }) },
    definition,
  });
  const purchases = market.collection('purchases', {
    key: { SERVICE_BOUGHT: 'buyer_id' },
    initial: { times: 0 },
    reduce: { SERVICE_BOUGHT: ({ times }) => ({ times: times + 1 }) },
  });
  return { services, users, purchases };
}

export async function making({ fresh, copyOf, quick, rounds }: Bench): Promise<Figure[]> {
  const file = fresh();
  await makeMarket(file, BUYERS);
  const events = quick ? EVENTS / 10 : EVENTS;
  const bare = new BareLoop(file, BUYERS);
  while (bare.position < events) bare.write(1_024);
  bare.close();
  const [folded, made, ratios, attached]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    const copy = copyOf(file);
    const { services, users, purchases } = later(2);
    const store = sqlite(copy);
    {
      await using app = await open({ store, collections: [services, users], commands: [], reduction: 'off' });
      const started = performance.now();
      await app.fold([services, users]);
      folded.push((events / (performance.now() - started)) * 1_000);
    }
    {
      const started = performance.now();
      await using app = await open({ store, collections: [services, users], commands: [], definitions: 'before' });
      made.push((events / (performance.now() - started)) * 1_000);
      if ((await app.find(users, { limit: 1 })).documents.length !== 1) throw new Error('Nothing was made.');
    }
    ratios.push(made.at(-1)! / folded.at(-1)!);
    const started = performance.now();
    const collections = [services, users, purchases] as const;
    await using app = await open({ store, collections, commands: [], reduction: 'off' });
    // Nobody folds the documents here.
    while ((await app.status()).making.some(({ work }) => work === 'attaching')) await sleep(20);
    attached.push((events / (performance.now() - started)) * 1_000);
  }
  const count = events.toLocaleString('en');
  return [
    {
      name: `a raised definition of two collections over ${count} events, of folding them in memory: events/s`,
      ours: median(made),
      bare: median(folded),
      ratio: median(ratios),
      atLeast: LIMITS.making,
    },
    {
      name: `a new collection over ${count} events: events attached a second`,
      ours: median(attached),
      atLeast: LIMITS.attaching,
    },
  ];
}
