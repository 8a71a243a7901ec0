/** What engines share of waiting: who is told what by which look. */
import { expect, it } from 'vitest';
import { GENESIS_HASH } from './chain.ts';
import type { LogEnd } from './store.ts';
import { Waiters } from './waiters.ts';

const never = new AbortController().signal;
const endAt = (position: number): LogEnd => ({ position, hash: GENESIS_HASH, recordedAt: 0 });
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Looks that are answered one by one, and how often somebody began to wait and ceased to. */
function watched() {
  const looks: { resolve: (end: LogEnd) => void; reject: (error: unknown) => void }[] = [];
  const calls: string[] = [];
  const waiters = new Waiters({
    look: () => new Promise((resolve, reject) => void looks.push({ resolve, reject })),
    begin: () => void calls.push('begin'),
    end: () => void calls.push('end'),
  });
  return { waiters, looks, calls };
}

it('whoever comes during a look is not told what it finds: he may know a newer end', async () => {
  const { waiters, looks } = watched();
  const first = waiters.wait(endAt(1), never);
  const second = waiters.wait(endAt(3), never);
  let told = false;
  void second.then(() => (told = true));
  looks[0]!.resolve(endAt(2));
  expect((await first).position).toBe(2);
  await turn();
  expect([told, looks.length]).toEqual([false, 2]);
  looks[1]!.resolve(endAt(4));
  expect((await second).position).toBe(4);
});

it('being woken during a look makes for another, and only while somebody waits', async () => {
  const { waiters, looks, calls } = watched();
  waiters.wake();
  expect(looks).toEqual([]);
  const waiting = waiters.wait(endAt(1), never);
  for (let times = 0; times < 5; times += 1) waiters.wake();
  looks[0]!.resolve(endAt(1));
  await turn();
  expect(looks).toHaveLength(2);
  looks[1]!.resolve(endAt(2));
  expect((await waiting).position).toBe(2);
  waiters.wake();
  await turn();
  expect([looks.length, calls]).toEqual([2, ['begin', 'end']]);
});

it('a look that fails is told to those it was made for', async () => {
  const { waiters, looks, calls } = watched();
  const error = new Error('away');
  const first = waiters.wait(endAt(1), never);
  const second = waiters.wait(endAt(1), never);
  looks[0]!.reject(error);
  await expect(first).rejects.toBe(error);
  await turn();
  looks[1]!.resolve(endAt(5));
  expect((await second).position).toBe(5);
  expect(calls).toEqual(['begin', 'end']);
});
