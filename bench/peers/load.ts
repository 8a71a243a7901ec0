/** Callers that buy until the time is over: the same loop for every system. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { buyerId, serviceId, type Done, type Gathered, type Shop, type Work } from './peer.ts';

/** Steps through the services as if at random: a prime, so that each has its turn. */
const STRIDE = 7_919;
const TURN_MS = 5;

export async function load(shop: Shop, work: Work): Promise<Done> {
  const { callers, services, hot, from, warmMs, ms, drainMs } = work;
  const latencies: number[] = [];
  const errors: Record<string, number> = {};
  const start = performance.now() + warmMs;
  const end = start + ms;
  let n = from;
  let acknowledged = 0;
  let failed = 0;
  let waiting = callers;
  let turned = performance.now();

  const call = async (): Promise<void> => {
    for (let asked = performance.now(); asked < end;) {
      n += 1;
      const service = serviceId(hot ?? (n * STRIDE) % services);
      try {
        await shop.buy(service, buyerId(n * STRIDE));
        const now = performance.now();
        acknowledged += 1;
        if (now >= start && now < end) latencies.push(now - asked);
        // What never waits for a disk or a network would keep the timers from theirs.
        if (now - turned > TURN_MS) {
          turned = now;
          await nextTurn();
        }
        asked = performance.now();
      } catch (error) {
        failed += 1;
        asked = performance.now();
        if (asked >= start && asked < end) {
          const name = nameOf(error);
          errors[name] = (errors[name] ?? 0) + 1;
        }
        // Refused at once, a caller would keep all others from their turn.
        await nextTurn();
      }
    }
    waiting -= 1;
  };

  const all = Promise.all(Array.from({ length: callers }, call));
  const measured = await between(shop, start, end);
  await Promise.race([all, sleep(Math.max(0, end + drainMs - performance.now()), undefined, { ref: false })]);
  const { gathered, busy } = measured;
  return {
    commands: latencies.length,
    latencies: Float64Array.from(latencies),
    seconds: ms / 1_000,
    errors,
    acknowledged,
    failed,
    unanswered: waiting,
    ...(gathered &&
      gathered.batches > 0 && {
        group: latencies.length / gathered.batches,
        tries: 1 + gathered.retried / latencies.length,
      }),
    busy,
  };
}

/** What was used between the two moments. */
async function between(shop: Shop, start: number, end: number): Promise<{ gathered?: Gathered; busy: number }> {
  await sleep(Math.max(0, start - performance.now()));
  const used = process.cpuUsage();
  const began = performance.now();
  const before = await shop.gathered?.();
  await sleep(Math.max(0, end - performance.now()));
  const { user, system } = process.cpuUsage(used);
  const busy = (user + system) / 1_000 / (performance.now() - began);
  const after = await shop.gathered?.();
  if (!before || !after) return { busy };
  return { busy, gathered: { batches: after.batches - before.batches, retried: after.retried - before.retried } };
}

/** A code says more than a class that all errors of a driver share. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const name = error.name === 'Error' ? error.constructor.name : error.name;
  return code === undefined || code === name ? name : `${name} ${code}`;
}
