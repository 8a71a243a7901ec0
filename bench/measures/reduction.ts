/** What the reduction costs commands, how far it is behind, and how soon an own write is found. */
import { cpuUsage } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { open } from 'tidemark';
import { sqlite } from 'tidemark/sqlite';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { buy, buyerId, buyService, median, parts, percentile, serviceId, services, SERVICES } from '../workload.ts';

const CALLERS = 64;
const LOOK_MS = 20;
const WRITES = 300;

export async function reduction({ template, copyOf, ms, rounds, quick }: Bench): Promise<Figure[]> {
  const rates: number[] = [];
  const costs: number[] = [];
  const lags: number[] = [];
  const found: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const off = await buying(copyOf(template), 'off', ms);
    const background = await buying(copyOf(template), 'background', ms);
    rates.push(background.rate / off.rate);
    costs.push(background.cpu / off.cpu);
    lags.push(...background.lags);
  }
  {
    await using app = await open({ store: sqlite(copyOf(template)), ...parts });
    await app.find(services, { limit: 1 });
    for (let n = 0; n < (quick ? 20 : WRITES); n += 1) {
      const id = serviceId(n * 7_919);
      await app.execute(buyService, { service_id: id, buyer_id: buyerId(n) });
      const started = performance.now();
      const { documents } = await app.find(services, { where: { $id: id } });
      if (documents.length !== 1) throw new Error('An own write was not found.');
      found.push(performance.now() - started);
    }
  }
  return [
    {
      name: `${CALLERS} callers beside the reduction: commands a second, of the rate without it`,
      ratio: median(rates),
      atLeast: LIMITS.reduction.rate,
    },
    { name: 'CPU time a command, of that without it', ratio: median(costs) },
    { name: 'lag meanwhile: ms, median', ours: median(lags) },
    { name: 'lag meanwhile: ms, 99th percentile', ours: percentile(lags, 0.99), atMost: LIMITS.reduction.lagMaxMs },
    { name: 'an own write is found after: ms, median', ours: median(found), atMost: LIMITS.reduction.ownWriteMaxMs },
  ];
}

async function buying(file: string, reduction: 'off' | 'background', ms: number) {
  await using app = await open({ store: sqlite(file), ...parts, reduction });
  // What the template holds is made first: its lag is nothing of the callers'.
  if (reduction === 'background') while ((await app.status()).reduction.lagEvents > 0) await sleep(LOOK_MS);
  const lags: number[] = [];
  const look = setInterval(() => {
    void app.status().then(
      ({ reduction: { lagMs } }) => lags.push(lagMs),
      () => undefined,
    );
  }, LOOK_MS);
  const before = cpuUsage();
  const { commands, seconds } = await buy(app, CALLERS, ms, (n) => serviceId(n * 7_919 + (n % SERVICES)));
  const { user, system } = cpuUsage(before);
  clearInterval(look);
  return { rate: commands / seconds, cpu: (user + system) / commands, lags };
}
