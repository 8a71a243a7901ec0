/** How cost and memory grow with the log: it is filled by the bare loop, and then measured. */
import type { Bench, Figure } from '../bench.ts';
import { BareLoop } from '../bare.ts';
import { LIMITS } from '../limits.ts';
import { buy, makeMarket, median, openMarket, serviceId, SERVICES, services, type Market } from '../workload.ts';

const EVENTS = [10_000, 1_000_000, 10_000_000] as const;
const CALLERS = 64;
const allServices = Array.from({ length: SERVICES }, (_, n) => serviceId(n));

/** So few that the smallest log is no larger than it says. */
const FIRST_BUYERS = 2_000;

export async function growth({ fresh, copyOf, ms, rounds, quick }: Bench): Promise<Figure[]> {
  const file = fresh();
  await makeMarket(file, FIRST_BUYERS);
  fill(file, EVENTS[0]);
  const small = copyOf(file);
  const figures: Figure[] = [];
  let first: number | undefined;
  for (const events of quick ? EVENTS.slice(0, 2) : EVENTS) {
    fill(file, events);
    const runs: number[] = [];
    const ratios: number[] = [];
    const large = await warm(file);
    for (let round = 0; round <= rounds; round += 1) {
      // A copy for each round: it would grow with every command.
      await using little = await warm(copyOf(small));
      const [one, other] = [await micros(large, ms), await micros(little, ms)];
      if (round === 0) continue; // Warming up.
      runs.push(one);
      ratios.push(one / other);
    }
    await large.close();
    const bare = new BareLoop(file, FIRST_BUYERS);
    const { seconds, commands } = bare.writeFor(CALLERS, ms * rounds);
    bare.close();
    const written = (seconds / commands) * 1e6;
    first ??= written;
    figures.push({
      name: `a command with ${events.toLocaleString('en')} events in the log: µs, and of one with ${EVENTS[0].toLocaleString('en')}`,
      ours: median(runs),
      bare: written,
      ratio: median(ratios),
      atMost: LIMITS.growthMax,
    });
    figures.push({
      name: `the bare loop's rows with ${events.toLocaleString('en')} events, likewise`,
      ratio: written / first,
    });
  }
  return figures;
}

/** Fills a log up to so many events by the bare loop. */
function fill(file: string, events: number): void {
  const bare = new BareLoop(file, FIRST_BUYERS);
  while (bare.position < events) bare.write(Math.min(1_024, events - bare.position));
  bare.close();
}

async function warm(file: string): Promise<Market> {
  const app = await openMarket(file);
  await app.get(services, allServices);
  await buy(app, CALLERS, 300, (n) => serviceId(n * 7_919));
  return app;
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
