/** One store, soaked: honest load alone, then with everything else, then what came of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { open, TidemarkError, type Store } from 'tidemark';
import { Honest, type Served } from './honest.ts';
import { behave, BEHAVIOURS } from './rude.ts';
import { parts } from './shop.ts';

/** How long the honest load is alone, in milliseconds: what it is compared with. */
const ALONE_MS = 15_000;
/**
 * Looks at memory, and those of them that an end of the run takes its median from. Seldom, as collecting all of it holds
 * everybody: in a short run there are too few of them to judge by.
 */
const LOOKS = 20;
const LOOK_EVERY_MS_MIN = 10_000;
const END_LOOKS = 5;

/** What is asked. */
export const BOUNDS = { rateAtLeast: 0.5, p99AtMost: 10, memoryAtMost: 1.2 } as const;

export interface Soak {
  readonly store: Store;
  readonly ms: number;
  readonly below: (max: number) => number;
  /** Names of behaviours; all, if undefined. */
  readonly only?: readonly string[] | undefined;
  /** Whether the log itself is kept in this process's memory, which grows by it then. */
  readonly inMemory?: boolean;
  /** What others do to the store, until the signal. */
  readonly outside?: ((over: AbortSignal) => Promise<void>) | undefined;
  /** Told once it is over; what was acknowledged is looked at after that, which takes long on a long log. */
  readonly measured: (figures: Measured) => void;
}

export interface Measured {
  readonly alone: Figures;
  readonly among: Figures;
  /** Heap in use after collecting, in bytes: half-way, and at the end. */
  readonly memory: readonly [early: number, late: number];
  /** Whether the log itself is in it: then it grows. */
  readonly inMemory: boolean;
  /** Whether memory was looked at often enough to say whether it grew. */
  readonly isLong: boolean;
  /** How often each kind was done, and what it was told. */
  readonly rude: ReadonlyMap<string, { times: number; told: Map<string, number> }>;
}

interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly readP99: number;
  readonly refused: ReadonlyMap<string, number>;
}

/** @returns what is wrong; empty if all is as it must be */
export async function soaked({
  store,
  ms,
  below,
  only,
  inMemory = false,
  outside,
  measured,
}: Soak): Promise<readonly string[]> {
  const told: string[] = [];
  const logger = { debug() {}, info() {}, warn: (_: object, text: string) => void told.push(text), error() {} };
  const app = await open({ store, ...parts, logger });
  const honest = new Honest(app);
  const wrong: string[] = [];
  await honest.during(2_000);
  const alone = figures(await honest.during(ALONE_MS));

  const over = new AbortController();
  const rude = new Map(
    Object.keys(BEHAVIOURS)
      .filter((name) => only === undefined || only.includes(name))
      .map((name) => [name, { times: 0, told: new Map<string, number>() }]),
  );
  const memory: number[] = [];
  const running = [
    ...[...rude].map(async ([name, found]) => {
      found.times = await behave({ app, below, over: over.signal }, BEHAVIOURS[name]!, (error) => {
        const code = error instanceof TidemarkError ? error.code : `without a code: ${String(error)}`;
        found.told.set(code, (found.told.get(code) ?? 0) + 1);
      });
    }),
    outside?.(over.signal),
    sampled(memory, Math.max(ms / LOOKS, LOOK_EVERY_MS_MIN), over.signal),
  ];
  let among: Figures;
  try {
    among = figures(await honest.during(ms));
  } finally {
    over.abort();
    await Promise.all(running);
  }

  // The first half of the time is for caches to fill.
  const half = Math.floor(memory.length / 2);
  const [early, late] = [median(memory.slice(half, half + END_LOOKS)), median(memory.slice(-END_LOOKS))];
  const isLong = memory.length >= 2 * END_LOOKS;
  measured({ alone, among, memory: [early, late], inMemory, isLong, rude });
  for (const [name, { times, told }] of rude) {
    if (times === 0) wrong.push(`nothing was done of: ${name}`);
    for (const code of told.keys()) if (code.startsWith('without')) wrong.push(`${name} was told an error ${code}`);
  }
  wrong.push(...(await honest.missing()));
  const { ok, problems } = await app.verify();
  if (!ok) wrong.push(`verify: ${problems[0]!.message}`);
  if (among.perSecond < alone.perSecond * BOUNDS.rateAtLeast)
    wrong.push('honest callers lost more than half of their rate');
  if (among.p99 > alone.p99 * BOUNDS.p99AtMost) wrong.push('honest commands took over ten times as long (p99)');
  if (!inMemory && isLong && late > early * BOUNDS.memoryAtMost) wrong.push('memory grew');
  await app.close();
  return wrong;
}

async function sampled(into: number[], everyMs: number, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await sleep(everyMs, undefined, { signal: over }).catch(() => undefined);
    globalThis.gc?.();
    into.push(process.memoryUsage().heapUsed + process.memoryUsage().external);
  }
}

function figures({ tookMs, commandMs, readMs, refused }: Served): Figures {
  return {
    perSecond: (commandMs.length / tookMs) * 1_000,
    p50: quantile(commandMs, 0.5),
    p99: quantile(commandMs, 0.99),
    readP99: quantile(readMs, 0.99),
    refused,
  };
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(part * (values.length - 1))] ?? NaN;
}
