/** How cost and memory grow with the log: it is filled by the bare loop, and then measured. */
import type { Bench, Figure } from '../bench.ts';
import { BareLoop } from '../bare.ts';
import { LIMITS } from '../limits.ts';
import { buy, median, openMarket, serviceId, SERVICES, services, type Market } from '../workload.ts';

const EVENTS = [10_000, 1_000_000, 10_000_000] as const;
const CALLERS = 64;
const allServices = Array.from({ length: SERVICES }, (_, n) => serviceId(n));

export async function growth({ template, copyOf, ms, rounds, quick }: Bench): Promise<Figure[]> {
  const file = copyOf(template);
  const cost = new Map<number, number>();
  const against: number[] = [];
  const sizes = quick ? EVENTS.slice(0, 2) : EVENTS;
  const small = copyOf(template);
  const smallApp = await openMarket(small);
  for (const events of sizes) {
    const bare = new BareLoop(file);
    while (bare.position < events) bare.write(1_024);
    bare.close();
    const app = await openMarket(file);
    await app.get(services, allServices);
    const runs: number[] = [];
    const ratios: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const [large, little] = [await micros(app, ms), await micros(smallApp, ms)];
      if (round === 0) continue;
      runs.push(large);
      ratios.push(large / little);
    }
    cost.set(events, median(runs));
    against.push(median(ratios));
    await app.close();
  }
  await smallApp.close();
  return sizes.map((events, index) => ({
    name: `a command with ${events.toLocaleString('en')} events in the log: µs, and of one with few`,
    ours: cost.get(events),
    ratio: against[index],
    atMost: LIMITS.growthMax,
  }));
}

async function micros(app: Market, ms: number): Promise<number> {
  const { commands, seconds } = await buy(app, CALLERS, ms, (n) => serviceId(n * 7_919));
  return (seconds / commands) * 1e6;
}

/** Heap after 1,000,000 commands, against that after 100,000. */
export async function heap({ template, copyOf, quick }: Bench): Promise<Figure[]> {
  const app = await openMarket(copyOf(template));
  const used: number[] = [];
  for (const commands of quick ? [5_000, 20_000] : [100_000, 900_000]) {
    let left = commands;
    while (left > 0) {
      const before = (await app.status()).counters.commands;
      await buy(app, 256, 1_000, (n) => serviceId(n * 7_919));
      left -= (await app.status()).counters.commands - before;
    }
    globalThis.gc?.();
    used.push(process.memoryUsage().heapUsed / 1024 / 1024);
  }
  await app.close();
  return [
    { name: 'heap after 100,000 commands: MiB', ours: used[0] },
    { name: 'heap after 1,000,000 commands: MiB', ours: used[1] },
    {
      name: 'heap after 1,000,000 commands, of that after 100,000',
      ratio: used[1]! / used[0]!,
      atMost: LIMITS.heapGrowthMax,
    },
  ];
}
