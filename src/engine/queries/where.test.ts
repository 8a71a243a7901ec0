import { describe, expect, test } from 'vitest';
import { filterOf } from './where.ts';
import { WHERE_CONDITIONS_MAX as MAX } from './bounds.ts';

const times = <Part>(count: number, part: (n: number) => Part): Part[] =>
  Array.from({ length: count }, (_, n) => part(n));
const tooMany = (where: object): void => {
  const message = expect.stringMatching(/more than 1000 conditions|at most 1000 are possible/);
  expect(() => filterOf(where)).toThrow(expect.objectContaining({ code: 'InvalidInput', message }));
};

describe('a query has at most as many conditions as the limit says, however they are put together', () => {
  test.each([
    ['OR', (count: number) => ({ OR: times(count, (n) => ({ n })) })],
    ['AND', (count: number) => ({ AND: times(count, (n) => ({ n })) })],
    ['fields', (count: number) => Object.fromEntries(times(count, (n) => [`f${n}`, n]))],
    ['two operators of each', (count: number) => ({ AND: times(count / 2, (n) => ({ n: { gte: n, lt: n + 2 } })) })],
    ['lists in a list', (count: number) => ({ OR: times(count / 10, () => ({ AND: times(10, (n) => ({ n })) })) })],
    ['beside others', (count: number) => ({ a: 1, NOT: { b: 2 }, OR: times(count - 2, (n) => ({ n })) })],
    ['that are empty', (count: number) => ({ AND: times(count, () => ({})) })],
    ['empty lists', (count: number) => ({ AND: times(count, () => ({ OR: [] })) })],
  ])('%s', (_, where) => {
    expect(() => filterOf(where(MAX))).not.toThrow();
    tooMany(where(MAX + 10));
  });

  test('lists of lists of nothing', () => {
    const nested = (depth: number): object => (depth === 0 ? {} : { AND: times(3, () => nested(depth - 1)) });
    expect(() => filterOf(nested(6))).not.toThrow();
    tooMany(nested(7));
  });
});
