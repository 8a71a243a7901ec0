/** A server process of the benchmark: callers who buy, on a log that others write to as well. */
import { on } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { open, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { BUYERS, buyerId, buyService, parts, services, type Market } from './workload.ts';

/** The log of a process. */
export interface Home {
  readonly storeName: StoreName;
  readonly place: LogAddress;
  /** So many services, of which each sale takes another; 1: all take the same. */
  readonly services: number;
}

/** What it is to do there, one after the other. */
export interface Duty {
  readonly callers: number;
  /** Of all services there are, or of so many: one by chance for each command. */
  readonly services: number;
  readonly warmMs: number;
  readonly ms: number;
  /** Milliseconds from one command of a caller to his next; 0: as soon as it is answered. */
  readonly everyMs: number;
}

export type StoreName = 'PostgreSQL' | 'SQLite';

/** A file; or a database's URL, and a schema. */
export interface LogAddress {
  readonly at: string;
  readonly schema?: string;
}

/** The results of the measured time. */
export interface Did {
  readonly commands: number;
  readonly latencies: readonly number[];
  readonly cpuMs: number;
  /** Commands that were decided once more, and batches that took the lock. */
  readonly retried: number;
  readonly exclusive: number;
  readonly errors: number;
}

const REMEMBERED = 5_000;

export function storeAt(storeName: StoreName, { at, schema }: LogAddress): Store {
  return storeName === 'SQLite' ? sqlite(at) : postgres(at, schema === undefined ? {} : { schema });
}

/** Loads every document that the cache can hold, so that loading whole histories isn't measured. */
async function warm(app: Market, count: number): Promise<void> {
  const ids = Array.from({ length: Math.min(count, REMEMBERED) }, (_, n) => `service-${n}`);
  for (let from = 0; from < ids.length; from += 1_000) await app.get(services, ids.slice(from, from + 1_000));
}

async function serve({ storeName, place, services: count }: Home): Promise<void> {
  await using app = await open({ store: storeAt(storeName, place), ...parts, reduction: 'off' });
  await warm(app, count);
  process.send!('ready');
  // Until the parent hangs up.
  for await (const [duty] of on(process, 'message', { close: ['disconnect'] }) as AsyncIterable<[Duty]>) {
    process.send!(await done(app, duty));
  }
}

/** Random, because processes that go through the services in order would meet at the same ones again and again. */
const below = (count: number): number => Math.floor(Math.random() * count);

async function done(app: Market, { callers, services: count, warmMs, ms, everyMs }: Duty): Promise<Did> {
  const start = performance.now() + warmMs;
  const over = start + ms;
  const latencies: number[] = [];
  let errors = 0;
  const call = async (caller: number): Promise<void> => {
    if (everyMs > 0) await sleep((everyMs * caller) / callers);
    for (let due = performance.now(); performance.now() < over; due += everyMs) {
      const asked = performance.now();
      try {
        await app.execute(buyService, {
          service_id: `service-${below(count)}`,
          buyer_id: buyerId(below(BUYERS)),
        });
      } catch (error) {
        errors += 1;
        if (errors === 1) console.error(error);
      }
      const now = performance.now();
      if (now >= start && now < over) latencies.push(now - asked);
      if (everyMs > 0) await sleep(Math.max(0, due + everyMs - now));
    }
  };
  const all = Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  await sleep(start - performance.now());
  const [used, before] = [process.cpuUsage(), (await app.status()).counters];
  await sleep(over - performance.now());
  const [{ user, system }, after] = [process.cpuUsage(used), (await app.status()).counters];
  await all;
  return {
    commands: latencies.length,
    latencies,
    cpuMs: (user + system) / 1_000,
    retried: after.retried - before.retried,
    exclusive: after.exclusive - before.exclusive,
    errors,
  };
}

const [, program, home] = process.argv;
if (program === import.meta.filename && home && process.send) await serve(JSON.parse(home) as Home);
