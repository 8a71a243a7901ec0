/** The order of writers in one session, and the waiting for those of others. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Queue, whenFree } from './lock.ts';

class Busy extends Error {
  readonly errcode = 5;
}

const within = (lockTimeoutMs: number) => ({ file: 'a.db', lockTimeoutMs });

it('one thing at a time, in the order asked for, whatever became of the one before', async () => {
  const queue = new Queue();
  const done: string[] = [];
  const ask = (name: string, ms: number) =>
    queue.run(async () => {
      done.push(`${name} begins`);
      await setTimeout(ms);
      done.push(`${name} ends`);
      if (name === 'b') throw new Error('b failed');
    });
  const all = await Promise.allSettled([ask('a', 5), ask('b', 1), ask('c', 0)]);
  await queue.idle();
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(done).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

it('tries until nobody stands in the way', async () => {
  let tries = 0;
  const attempt = () => {
    tries += 1;
    if (tries < 5) throw new Busy();
    return 'free';
  };
  expect(await whenFree(attempt, within(60_000))).toBe('free');
  expect(tries).toBe(5);
});

it('tries seldom enough to leave the machine to others', async () => {
  let tries = 0;
  const start = performance.now();
  await whenFree(() => {
    tries += 1;
    if (performance.now() - start < 50) throw new Busy();
  }, within(60_000));
  // A busy machine only makes it fewer.
  expect(tries).toBeLessThan(120);
});

it('gives up once the time is over and not before, and at once for what waiting can’t mend', async () => {
  let tries = 0;
  const never = (error: Error) => () => {
    tries += 1;
    throw error;
  };
  const error = await whenFree(never(new Busy()), within(20)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'StoreUnavailable', details: { file: 'a.db', waitedMs: expect.any(Number) } });
  expect((error as { details: { waitedMs: number } }).details.waitedMs).toBeGreaterThanOrEqual(20);
  expect(tries).toBeGreaterThan(1);
  tries = 0;
  await expect(whenFree(never(new Busy()), within(0))).rejects.toThrow('held the lock of a.db for 0 ms');
  expect(tries).toBe(1);
  await expect(whenFree(never(new TypeError('other')), within(60_000))).rejects.toThrow('other');
  expect(tries).toBe(2);
});
