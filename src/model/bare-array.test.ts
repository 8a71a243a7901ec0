/** What an array has beside its items is seen without a look at them. */
import { expect, test } from 'vitest';
import { isBareArray } from './bare-array.ts';

const list = (): unknown[] => Array.from({ length: 12_222 }, (_, n) => ({ n }));

test('an array of items is bare, whatever they are', () => {
  let looked = false;
  const item = {
    get n() {
      return (looked = true);
    },
  };
  for (const array of [list(), [...list(), item], [1, 2], Array.from({ length: 222 }, () => 'a\n2')]) {
    expect(isBareArray(array)).toBe(true);
  }
  expect(looked).toBe(false);
});

test('one that has more, is a proxy, or takes no other items, is not', () => {
  const symbol = Symbol('s');
  const others: readonly unknown[][] = [
    Object.assign(list(), { total: 1 }),
    Object.assign(list(), { [symbol]: 1 }),
    Object.assign(list(), { constructor: Array }),
    Object.assign(list(), { toJSON: () => 1 }),
    Object.defineProperty(list(), 'hidden', { value: 1 }),
    Object.defineProperty(list(), Symbol.iterator, { value: list }),
    new Proxy(list(), {}),
    Object.preventExtensions(list()),
    Object.freeze(list()) as unknown[],
    new (class List extends Array<unknown> {})(2_222),
    Object.setPrototypeOf(list(), null) as unknown[],
  ];
  for (const array of others) expect(isBareArray(array)).toBe(false);
});
