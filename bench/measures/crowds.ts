/** What callers who know no bounds cost those who share a server with them, within its default limits. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { domain, open, type } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { Bench, Figure } from '../bench.ts';
import { LIMITS } from '../limits.ts';
import { median } from '../workload.ts';

const stock = domain({ events: { COUNTED: type<{ item_ids: string[] }>() } });
const items = stock.collection('items', {
  key: 'item_ids',
  initial: { n: 0 },
  reduce: { COUNTED: ({ n }) => ({ n: n + 1 }) },
});
/** Attached to as many documents as a command may be. */
const attach = stock.command('ATTACH', {
  input: type<{ from: number; count: number; each: number }>(),
  decide: (_, { from, count, each }) =>
    Array.from({ length: count / each }, (_, event) => ({
      type: 'COUNTED' as const,
      item_ids: Array.from({ length: each }, (_, n) => `i${from + event * each + n}`),
    })),
});
/** Reads as many documents as a command may. */
const wide = stock.command('WIDE', {
  input: type<{ from: number; reads: number }>(),
  reads: ({ from, reads }) => ({ found: Array.from({ length: reads }, (_, n) => items.ref(`i${from + n}`)) }),
  decide: (_, { from }) => ({ type: 'COUNTED', item_ids: [`w${from}`] }),
});
const slow = stock.command('SLOW', {
  input: type<{ id: string; ms: number }>(),
  decide: (_, { id, ms }) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
    return { type: 'COUNTED', item_ids: [id] };
  },
});
const parts = { collections: [items], commands: [attach, wide, slow] } as const;

const READS = DEFAULT_LIMITS.commandReadsMax;

export async function crowds({ fresh, quick }: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  const file = fresh();
  const commands = quick ? 10 : 100;
  {
    await using app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
    const { commitAttachmentsMax: most, eventAttachmentsMax: each } = DEFAULT_LIMITS;
    await app.execute(attach, { from: 0, count: each, each });
    const held: number[] = [];
    for (let from = 0; from < commands * READS; from += most) {
      const { longest } = await watched(() => app.execute(attach, { from, count: most, each }));
      held.push(longest);
    }
    figures.push({ name: `a command of ${most} attachments holds the event loop: ms, median`, ours: median(held) });
  }
  {
    await using app = await open({ store: sqlite(file), ...parts, reduction: 'off' });
    const { longest, ms } = await watched(() =>
      Promise.all(Array.from({ length: commands }, (_, n) => app.execute(wide, { from: n * READS, reads: READS }))),
    );
    const what = `${commands} commands at once read ${READS} cold documents each`;
    figures.push({ name: `${what}: µs a document`, ours: (ms * 1_000) / (commands * READS) });
    figures.push({ name: `${what}: event loop held at most, ms`, ours: longest });
    const callers = quick ? 100 : DEFAULT_LIMITS.batchCommitsMax;
    const held = await watched(() =>
      Promise.all(Array.from({ length: callers }, (_, n) => app.execute(slow, { id: `s${n}`, ms: 2 }))),
    );
    const name = `${callers} callers whose decide takes 2 ms: event loop held at most, ms`;
    figures.push({ name, ours: held.longest, atMost: LIMITS.slowDecisionsHeldMaxMs });
  }
  figures.push(...(await refusals(quick ? 1_000 : 100_000)), ...(await sameId(quick ? 1_000 : 16_000)));
  return figures;
}

/** A queue that is full refuses as fast as one that is small. */
async function refusals(queueCommandsMax: number): Promise<Figure[]> {
  const few = await refusalCost(1_000);
  const many = await refusalCost(queueCommandsMax);
  const name = `a refusal with ${queueCommandsMax} commands waiting, of one with 1,000: µs`;
  return [{ name, ours: many, bare: few, ratio: many / few, atMost: LIMITS.refusalGrowthMax }];
}

async function refusalCost(queueCommandsMax: number): Promise<number> {
  const app = await open({ store: memory(), ...parts, reduction: 'off', limits: { queueCommandsMax } });
  const waiting = Array.from({ length: queueCommandsMax }, (_, n) => app.execute(slow, { id: `${n}`, ms: 0 }));
  const started = performance.now();
  const refused = Array.from({ length: 1_000 }, () => app.execute(slow, { id: 'more', ms: 0 }).catch(() => undefined));
  const took = performance.now() - started;
  await Promise.all([...waiting, ...refused]);
  await app.close();
  return took;
}

/** Sends of one id at once cost the same each, however many they are. */
async function sameId(sends: number): Promise<Figure[]> {
  await sendCost(sends / 8);
  const few = await sendCost(sends / 8);
  const many = await sendCost(sends);
  const name = `each of ${sends} sends of one id, of each of ${sends / 8}: µs`;
  return [{ name, ours: many, bare: few, ratio: many / few, atMost: LIMITS.sameIdGrowthMax }];
}

async function sendCost(sends: number): Promise<number> {
  const app = await open({ store: memory(), ...parts, reduction: 'off', limits: { queueCommandsMax: sends } });
  const started = performance.now();
  await Promise.all(Array.from({ length: sends }, () => app.execute(slow, { id: 'i', ms: 0 }, { id: 'same' })));
  const took = performance.now() - started;
  await app.close();
  return (took * 1_000) / sends;
}

async function watched(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly longest: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  await work();
  const ms = performance.now() - started;
  delay.disable();
  return { ms, longest: Math.max(0, delay.max / 1e6 - 1) };
}
