/** Commands a second and latency with 1, 64 and 1,024 callers over 5,000 services, and all of them on one. */
import { BARE_FLOORS, LIMITS } from '../limits.ts';
import type { Bench, Figure } from '../bench.ts';
import { BareLoop } from '../bare.ts';
import { buy, buyerId, buyService, median, openMarket, percentile, serviceId, type Market } from '../workload.ts';

export async function throughput({ template, copyOf, ms, rounds }: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  const ours = await openMarket(copyOf(template));
  const bare = new BareLoop(copyOf(template));
  for (const callers of [1, 64, 1_024] as const) {
    const rates: number[] = [];
    const hot: number[] = [];
    const bareRates: number[] = [];
    const latency: { p50: number; p99: number; bare: number }[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const before = (await ours.status()).counters;
      const spread = await buy(ours, callers, ms, (n) => serviceId(n * 7_919));
      const after = (await ours.status()).counters;
      const group = Math.max(1, Math.round((after.commands - before.commands) / (after.batches - before.batches)));
      const written = bare.writeFor(group, ms);
      const one = callers > 1 ? await buy(ours, callers, ms, () => serviceId(1)) : undefined;
      if (round === 0) continue; // Warming up.
      rates.push(spread.commands / spread.seconds);
      bareRates.push(written.commands / written.seconds);
      if (one) hot.push(one.commands / one.seconds / rates.at(-1)!);
      latency.push({
        p50: percentile(spread.latencies, 0.5),
        p99: percentile(spread.latencies, 0.99),
        bare: percentile(written.latencies, 0.5),
      });
    }
    const ratio = median(rates.map((rate, index) => rate / bareRates[index]!));
    figures.push({
      name: `${callers} callers: commands/s`,
      ours: median(rates),
      bare: median(bareRates),
      ratio,
      atLeast: LIMITS.throughput[callers],
      floor: callers === 1 ? BARE_FLOORS.durableWrites : callers === 1_024 ? BARE_FLOORS.eventsInGroups : undefined,
    });
    figures.push({
      name: `${callers} callers: latency p50 ms`,
      ours: median(latency.map(({ p50 }) => p50)),
      bare: median(latency.map((one) => one.bare)),
      ratio: median(latency.map(({ p50, bare: write }) => p50 / write)),
      atMost: callers === 1 ? LIMITS.singleLatencyMax : undefined,
    });
    figures.push({ name: `${callers} callers: latency p99 ms`, ours: median(latency.map(({ p99 }) => p99)) });
    if (hot.length > 0)
      figures.push({
        name: `${callers} callers on one document, of the spread figure`,
        ratio: median(hot),
        atLeast: LIMITS.hot,
      });
  }
  figures.push(await oneByOne(ours, bare, ms * rounds));
  bare.close();
  await ours.close();
  return figures;
}

/**
 * A single caller's command and a bare durable write in turns. It says how much of the figure with the limit is our own:
 * a disk that is asked back to back, as by the bare loop alone, answers a third faster than one that rests in between.
 */
async function oneByOne(app: Market, bare: BareLoop, ms: number): Promise<Figure> {
  const ours: number[] = [];
  const writes: number[] = [];
  const over = performance.now() + ms;
  for (let n = 1, asked = performance.now(); asked < over; n += 1) {
    await app.execute(buyService, { service_id: serviceId(n * 7_919), buyer_id: buyerId(n * 7_907) });
    const answered = performance.now();
    bare.write(1);
    const written = performance.now();
    ours.push(answered - asked);
    writes.push(written - answered);
    asked = written;
  }
  const [command, write] = [percentile(ours, 0.5), percentile(writes, 0.5)];
  return {
    name: 'a single caller and a bare write in turns: latency p50 ms',
    ours: command,
    bare: write,
    ratio: command / write,
  };
}
