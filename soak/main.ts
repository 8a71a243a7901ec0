/**
 * `npm run soak`: honest callers among those who know no bounds, on each store. `--minutes 30` is for every store
 * together; `--store sqlite` takes one of them, `--only WORDS` the kinds of callers whose name has these words.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import Table from 'cli-table3';
import { memory } from 'tidemark/memory';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { Chance } from '../src/testing/conformance/random.ts';
import { amount, chosen, Misused, parsed, script, whole } from '../scripts/options.ts';
import { start } from '../scripts/postgres-server.ts';
import { forgetfulReader, lockTaker } from './outside.ts';
import { BEHAVIOURS } from './rude.ts';
import { BOUNDS, soaked, type Measured, type Soak } from './soaked.ts';

const STORES = ['memory', 'sqlite', 'postgres'] as const;
/**
 * Enough for the limits' defaults several times over: what isn't bounded ends the process. In MiB. The log in memory is as
 * large as what was recorded.
 */
const HEAP = { memory: 8_000, sqlite: 600, postgres: 600 } as const;
const HELP = `Honest callers among callers who know no bounds.

  npm run soak -- [options]

  --minutes N    how long, for all stores together (3)
  --store NAME   ${STORES.join(', ')} (each)
  --only WORDS   only the kinds whose name has these words
  --seed N       who asks for what (random, and printed)
  --help         this text

Exit code: 0 all is as it must be; 1 something isn't; 2 an option is wrong.
`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function read(args: readonly string[]) {
  const values = parsed(args, {
    minutes: { type: 'string', default: '3' },
    store: { type: 'string' },
    only: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    inside: { type: 'boolean', default: false },
  });
  const minutes = amount('minutes', values.minutes);
  if (minutes === 0) throw new Misused('--minutes must be above 0.');
  const stores = chosen('store', values.store, STORES);
  const words = values.only;
  const only = words === undefined ? undefined : Object.keys(BEHAVIOURS).filter((name) => name.includes(words));
  if (only?.length === 0)
    throw new Misused(`--only: there is none of that name. There are: ${Object.keys(BEHAVIOURS).join('; ')}.`);
  return {
    minutes,
    seed: whole('seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    stores,
    words,
    only,
    inside: values.inside,
  };
}

async function main(options: ReturnType<typeof read>): Promise<number> {
  const { stores, minutes, seed, only, words } = options;
  if (options.inside) return (await inside(stores[0]!, { ms: minutes * 60_000, seed, only })) ? 0 : 1;
  let sound = true;
  for (const store of stores) {
    print(`${store}, --seed ${seed} …`);
    // A process of its own, so that what ends it ends no other, and memory is its own.
    const child = fork(
      import.meta.filename,
      ['--inside', '--store', store, '--minutes', String(minutes / stores.length), '--seed', String(seed)].concat(
        words === undefined ? [] : ['--only', words],
      ),
      { execArgv: [...process.execArgv, '--expose-gc', `--max-old-space-size=${HEAP[store]}`] },
    );
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) sound = false;
    if (code === null || code > 1) print(`✗ ${store}: the process ended with ${code ?? 'a signal'}`);
  }
  print(sound ? 'All is as it must be.' : 'Not all is as it must be.');
  return sound ? 0 : 1;
}

interface Inside {
  readonly ms: number;
  readonly seed: number;
  readonly only: readonly string[] | undefined;
}

async function inside(name: (typeof STORES)[number], { ms, seed, only }: Inside): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-soak-'));
  const server = name === 'postgres' ? await start() : undefined;
  try {
    const file = join(folder, 'soak.db');
    const soak: Record<typeof name, Pick<Soak, 'store' | 'inMemory' | 'outside'>> = {
      memory: { store: memory(), inMemory: true },
      sqlite: { store: sqlite(file), outside: (over) => forgetfulReader(file, over) },
      postgres: {
        store: postgres(server?.url ?? 'postgres://localhost'),
        outside: (over) => lockTaker(server!.url, over),
      },
    };
    const chance = new Chance(seed);
    const measured = (figures: Measured): void => tell(name, figures);
    const wrong = await soaked({ ...soak[name], ms, below: (max) => chance.below(max), only, measured });
    for (const one of wrong) print(`✗ ${one}`);
    return wrong.length === 0;
  } catch (error) {
    print(`✗ ${name}: ${inspect(error)}`);
    return false;
  } finally {
    await server?.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(name: string, { alone, among, memory, inMemory, isLong, rude }: Measured): void {
  const table = new Table({ head: [name, 'alone', 'among others', 'ratio', 'limit'], style: { head: [], border: [] } });
  const row = (what: string, one: number, other: number, limit = ''): void =>
    void table.push([what, one.toFixed(1), other.toFixed(1), (other / one).toFixed(2), limit]);
  row('commands/s', alone.perSecond, among.perSecond, `≥ ${BOUNDS.rateAtLeast}`);
  row('command p50 ms', alone.p50, among.p50);
  row('command p99 ms', alone.p99, among.p99, `≤ ${BOUNDS.p99AtMost}`);
  row('get p99 ms', alone.readP99, among.readP99);
  row(
    'heap MiB, half-way and late',
    memory[0] / 2 ** 20,
    memory[1] / 2 ** 20,
    inMemory ? 'it holds the log' : isLong ? `≤ ${BOUNDS.memoryAtMost}` : 'too short to judge',
  );
  print(table.toString());
  print(`honest callers were told: ${counts(among.refused)}`);
  for (const [kind, { times, told }] of rude) print(`  ${kind}: ${times} times; told ${counts(told)}`);
}

function counts(told: ReadonlyMap<string, number>): string {
  return [...told].map(([code, times]) => `${code} ${times}`).join(', ') || 'no error';
}

await script(HELP, read, main);
