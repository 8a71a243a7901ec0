/** Turns of the event loop: long work gets them one call after the other, and each kind of call in turn. */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns, WRITE } from './turns.ts';

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test('callers at once are served one after the other, with turns of the event loop between them', async () => {
  const turns = new Turns();
  let served = 0;
  const all = Promise.all(
    Array.from({ length: 50 }, async () => {
      await turns.run('read', () => spin(3));
      served += 1;
    }),
  );
  const servedAtOnce: number[] = [];
  for (let passed = 0; passed < 50; passed += servedAtOnce.at(-1)!) {
    await setImmediate();
    servedAtOnce.push(served - passed);
  }
  await all;
  expect(served).toBe(50);
  expect(Math.max(...servedAtOnce)).toBeLessThanOrEqual(2);
});

test('kinds take turns, writes come first, and nobody is passed by his own kind', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const call = async (kind: string, name: string): Promise<void> => {
    await turns.run(kind, () => {
      order.push(name);
      spin(2);
    });
  };
  await Promise.all([
    ...['r1', 'r2', 'r3', 'r4'].map((name) => call('read', name)),
    call('load', 'l1'),
    call('load', 'l2'),
    call('ledger', 'o1'),
    call(WRITE, 'w1'),
    call(WRITE, 'w2'),
  ]);
  expect(order).toEqual(['w1', 'w2', 'r1', 'l1', 'o1', 'r2', 'l2', 'r3', 'r4']);
});

test('a call by itself goes on at once until a stint is over', async () => {
  const turns = new Turns();
  await turns.run('read', () => undefined);
  let passed = 0;
  const beat = setImmediate().then(() => (passed += 1));
  await turns.run('read', () => undefined);
  expect(passed).toBe(0);
  await beat;
});

test('what a call throws is its caller’s to hear', async () => {
  const turns = new Turns();
  const told = await Promise.allSettled([
    turns.run('read', () => {
      throw new Error('no');
    }),
    turns.run('read', () => 1),
    turns.run('read', () => Promise.reject(new Error('late'))),
    turns.run('read', () => 2),
  ]);
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
});
