/**
 * A connection cut at each point of a batch: before each message, in the middle of each, on the way there and on the way
 * back, and for a batch that is one statement as for one under the write lock.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { open, StoreUnavailable, type Outcome, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../../support/postgres.ts';
import { Proxy } from '../../support/proxy.ts';
import { temporaryFolder } from '../../support/stores.ts';
import { acknowledged, type Acknowledged } from '../acknowledged.ts';
import { careless } from '../careless.ts';
import { doneTwice, halfCommits, lost, staleOrders, unsound } from '../log-by-sql.ts';
import { order, type OrderInput } from '../orders.ts';
import { copyToFile } from './copy.ts';
import { telling } from './doubts.ts';
import { followed, misread, type Followed } from './follow.ts';
import { parts } from './load.ts';

const AGAIN_MS = 5;
/** Far more than a batch has. */
const POINTS_MAX = 500;

const database = testDatabase();
const folder = temporaryFolder();
let proxy: Proxy;
beforeEach(async () => void (proxy = await Proxy.to(Number(new URL(database.url).port))));
afterEach(() => proxy.close());

interface Options {
  readonly schema: string;
  /** Whether each batch is stored under the write lock. */
  readonly exclusive?: boolean;
  readonly change?: (store: Store) => Store;
}

/** Executes three commands together, for each point at which their batch can be cut, and says what was found. */
async function cutEverywhere({ schema, exclusive = false, change = (store) => store }: Options) {
  const met = { points: 0, doubts: 0, found: 0 };
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const told = { doubt: () => (met.doubts += 1), found: (commands: number) => (met.found += Math.min(commands, 1)) };
  const store = change(telling(postgres(url.href, { schema, connections: 2 }), told));
  const app = await open({ store, ...parts, limits: { ...(exclusive && { triesMax: 1 }) } });
  const reader = await open({ store: postgres(database.url, { schema, connections: 2 }), ...parts });
  const all: Acknowledged[] = [];
  const given: Followed[] = [];
  const insisting = async (id: string, input: OrderInput): Promise<Outcome> => {
    for (;;) {
      try {
        return await app.execute(order, input, { id });
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        await sleep(AGAIN_MS);
      }
    }
  };
  for (const from of ['client', 'server'] as const) {
    for (let messages = 0; messages < POINTS_MAX; messages += 0.5) {
      proxy.cutAfter = { from, messages };
      // A customer that nobody has read yet, a failure, and one that builds on the first.
      const ids = [0, 1, 2].map((n) => `${from}-${messages}-${n}`);
      const inputs = ids.map((order_id, n) => ({
        order_id,
        customer_id: `${from}-${messages}`,
        skus: n === 1 ? [] : ['a', 'b'],
        text: 'x',
      }));
      const outcomes = await Promise.all(ids.map((id, n) => insisting(id, inputs[n]!)));
      all.push(...outcomes.map((outcome, n) => acknowledged(ids[n]!, outcome)));
      for await (const event of reader.events({ after: given.at(-1)?.[0] ?? 0 })) given.push(followed(event));
      if (proxy.cutAfter !== undefined) break;
      met.points += 1;
    }
    proxy.cutAfter = undefined;
  }
  const log: Followed[] = [];
  for await (const event of reader.events()) log.push(followed(event));
  const faults = (await reader.verify()).problems.map(({ message }) => `verify: ${message}`);
  await Promise.all([app.close(), reader.close()]);
  const file = await copyToFile(database.url, schema, join(folder, `${schema}.db`));
  for (const look of [unsound, halfCommits, staleOrders, doneTwice]) faults.push(...look(file));
  return { met, faults: [...faults, ...lost(file, all), ...misread('the reader', given, log)] };
}

test.each([
  ['one statement', false],
  ['a section under the write lock', true],
] as const)(
  'laws 1, 2, 3, 5, lessons 10, 23: a connection cut anywhere in a batch, %s, costs nothing and doubles nothing',
  async (_, exclusive) => {
    const { met, faults } = await cutEverywhere({ schema: exclusive ? 'cut_locked' : 'cut', exclusive });
    process.stdout.write(`cut: ${JSON.stringify(met)}\n`);
    expect(faults).toEqual([]);
    // Two messages a statement at the least, each way.
    expect(met.points).toBeGreaterThan(20);
    // Both ends that a write in doubt can come to; under the lock only COMMIT leaves doubts, too few to be sure of both.
    expect(met.doubts).toBeGreaterThan(exclusive ? 0 : met.found);
    expect(met.found).toBeGreaterThan(exclusive ? -1 : 0);
  },
);

test('lesson 10, control: a store that sends what got no answer as something new is caught', async () => {
  const { faults } = await cutEverywhere({ schema: 'cut_careless', change: careless });
  expect(faults.join('\n')).toMatch(/was carried out 2 times/);
});
