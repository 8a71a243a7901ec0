import { expect, test } from 'vitest';
import { SLICE_MS } from './bounds.ts';
import { Pace } from './visit.ts';

const paced = () => {
  const clock = { ms: 0, asked: 0 };
  const runtime = {
    elapsed: () => {
      clock.asked += 1;
      return clock.ms;
    },
    turn: async () => undefined,
  };
  const pace = new Pace({ runtime: runtime as never, closing: new AbortController().signal }, undefined);
  return { clock, pace };
};

test('the clock is looked at after some short documents, and after each long one', async () => {
  const { clock, pace } = paced();
  clock.ms = SLICE_MS;
  for (let n = 0; n < 16; n += 1) pace.isOver(20);
  expect(clock.asked).toBe(1 + 2);
  await pace.rest();
  expect(pace.isOver(1_000_000)).toBe(false);
  clock.ms += SLICE_MS;
  expect(pace.isOver(1_000_000)).toBe(true);
});
