/** What a commit costs while the end of the log is followed: by one, by 500 and by 5,000, half of them of a document each. */
import { open } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { start } from '../../scripts/postgres-server.ts';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { buyerId, buyService, createService, median, openMarket, parts, serviceId, services } from '../workload.ts';

const COUNTS = [1, 500, 5_000];
const SERVICES = 2_500;

type Followed = Awaited<ReturnType<typeof openMarket>>;

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

export async function followers({ template, copyOf, rounds, quick }: Bench): Promise<Figure[]> {
  const app = await openMarket(copyOf(template));
  const figures = await measured('SQLite', app, rounds, quick);
  await app.close();
  const server = await start();
  try {
    const there = await open({ store: postgres(server.url), ...parts, reduction: 'off' });
    await Promise.all(
      Array.from({ length: SERVICES }, (_, n) =>
        there.execute(createService, { service_id: serviceId(n), seller_id: 'seller', price: 5, quantity: 1e9 }),
      ),
    );
    figures.push(...(await measured('PostgreSQL', there as Followed, rounds, quick)));
    await there.close();
  } finally {
    await server.end();
  }
  return figures;
}

async function measured(where: string, app: Followed, rounds: number, quick: boolean): Promise<Figure[]> {
  const costs = new Map<number, Cost[]>(COUNTS.map((count) => [count, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const count of COUNTS) {
      const cost = await costWith(app, count, quick ? 50 : 300);
      // The first is for warming up.
      if (round > 0) costs.get(count)!.push(cost);
    }
  }
  const one = costs.get(1)!;
  return COUNTS.flatMap((count) => {
    const found = costs.get(count)!;
    const ratioOf = (what: keyof Cost): number => median(found.map((cost, index) => cost[what] / one[index]![what]));
    const limit = count === 1 ? {} : { atMost: LIMITS.followersMax };
    return [
      {
        name: `${where}, ${count} followers: ms a commit`,
        ours: median(found.map(({ ms }) => ms)),
        ratio: ratioOf('ms'),
        ...limit,
      },
      {
        name: `${where}, ${count} followers: CPU ms a commit`,
        ours: median(found.map(({ cpuMs }) => cpuMs)),
        ratio: ratioOf('cpuMs'),
        ...limit,
      },
    ];
  });
}

/** Median time, and mean CPU time, of commits one after the other, each of which concerns one follower or none. */
async function costWith(app: Followed, count: number, commits: number): Promise<Cost> {
  const enough = new AbortController();
  const { signal } = enough;
  const { position: after } = await app.status();
  const ofDocuments = Math.ceil(count / 2);
  let begun = 0;
  const begins = Promise.withResolvers<void>();
  const follow = async (events: AsyncIterable<unknown>): Promise<void> => {
    let isNew = true;
    try {
      for await (const _ of events) {
        if (isNew && (begun += 1) === ofDocuments) begins.resolve();
        isNew = false;
      }
    } catch (error) {
      if (error !== signal.reason) throw error;
    }
  };
  const all: Promise<void>[] = [];
  for (let n = ofDocuments; n < count; n += 1)
    all.push(follow(app.events({ follow: true, signal, after, types: ['SERVICE_CREATED'] })));
  for (let n = 0; n < ofDocuments; n += 1)
    all.push(follow(app.history(services, serviceId(n), { follow: true, signal })));
  await begins.promise;
  // What beginning has left behind is none of a commit's cost.
  globalThis.gc!();

  const taken: number[] = [];
  const cpu = process.cpuUsage();
  for (let n = 0; n < commits; n += 1) {
    const asked = performance.now();
    await app.execute(buyService, { service_id: serviceId((n * 7_919) % SERVICES), buyer_id: buyerId(n) });
    taken.push(performance.now() - asked);
  }
  const { user, system } = process.cpuUsage(cpu);
  enough.abort();
  await Promise.all(all);
  return { ms: median(taken), cpuMs: (user + system) / 1_000 / commits };
}
