/** How long the event loop keeps others waiting, with 64 callers at work. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { buy, openMarket, serviceId } from '../workload.ts';

const pick = (n: number): string => serviceId(n * 7_919);

/** The histogram counts what a timer of 1 ms was late by, and that millisecond. */
const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - 1);

export async function loopDelay({ template, copyOf, ms, rounds }: Bench): Promise<Figure[]> {
  const app = await openMarket(copyOf(template));
  await buy(app, 64, ms, pick);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await buy(app, 64, ms * rounds, pick);
  delay.disable();
  await app.close();
  return [
    { name: 'event-loop delay p50: ms', ours: late(delay.percentile(50)) },
    { name: 'event-loop delay p99: ms', ours: late(delay.percentile(99)), atMost: LIMITS.loopDelayP99MaxMs },
    { name: 'event-loop delay, longest: ms', ours: late(delay.max) },
  ];
}
