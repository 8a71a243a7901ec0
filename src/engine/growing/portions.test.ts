/** How much is made at once, by how long the last portions took. */
import { expect, test } from 'vitest';
import { DOCUMENTS, IDS, Portions } from './portions.ts';

const after = (...took: readonly (readonly [size: number, ms: number])[]): number => {
  const portions = new Portions(IDS);
  for (const [size, ms] of took) portions.took(size, ms);
  return portions.size;
};

test('it becomes less where a portion takes long, whatever is in it, and has a least', () => {
  expect(after([1_000, 9])).toBe(500);
  expect(after([10, 9])).toBe(500);
  expect(after(...Array.from({ length: 20 }, () => [1_000, 50] as const))).toBe(200);
});

test('it becomes more where a whole portion takes little, and has a most', () => {
  expect(after([1_000, 3])).toBe(1_500);
  expect(after([1_200, 3])).toBe(1_500);
  expect(after(...Array.from({ length: 20 }, () => [10_000, 1] as const))).toBe(4_000);
});

test('it stays where a portion takes what it should, or had few ids', () => {
  expect(after([1_000, 4])).toBe(1_000);
  expect(after([1_000, 8])).toBe(1_000);
  expect(after([999, 1])).toBe(1_000);
});

test('it becomes one, and more than that again', () => {
  const portions = new Portions(DOCUMENTS);
  for (let n = 0; n < 20; n += 1) portions.took(portions.size, 100);
  expect(portions.size).toBe(1);
  for (let n = 0; n < 20; n += 1) portions.took(portions.size, 1);
  expect(portions.size).toBe(400);
});
