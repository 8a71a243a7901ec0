/** Two states are compared as their canonical texts would be, in turns of the event loop. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../model/json.ts';
import { Pace } from '../pace.ts';
import { isSameState } from './same-state.ts';

const still = () => new Pace({ elapsed: () => 0, turn: () => Promise.resolve() });

test('is what a comparison of the canonical texts says', async () => {
  const small = fc.jsonValue({ maxDepth: 3 });
  await fc.assert(
    fc.asyncProperty(small, small, async (one, other) => {
      expect(await isSameState(one, other, still())).toBe(canonicalJson(one) === canonicalJson(other));
      const turned: unknown = JSON.parse(canonicalJson(one));
      expect(await isSameState(one, turned, still())).toBe(true);
    }),
  );
});

test.each([
  ['a field that one lacks', { a: 1 }, { a: 1, b: 2 }],
  ['another name', { a: 1, b: 2 }, { a: 1, c: 2 }],
  ['a name that every object inherits', { a: 1, toString: 2 }, { a: 1, b: 2 }],
  ['an array and an object', { list: [1] }, { list: { 0: 1 } }],
  ['deep inside', [{ a: [{ b: [1, 2] }] }], [{ a: [{ b: [1, 3] }] }]],
  ['null and an object', { a: null }, { a: {} }],
  ['lengths', [[1, 2]], [[1]]],
])('sees %s', async (_, one, other) => {
  expect(await isSameState(one, other, still())).toBe(false);
  expect(await isSameState(other, one, still())).toBe(false);
});

const large = (): unknown => Array.from({ length: 20_000 }, (_, n) => ({ n, list: [n] }));

test('a large state gives turns', async () => {
  let elapsed = 0;
  let turns = 0;
  const pace = new Pace({ elapsed: () => (elapsed += 1), turn: () => Promise.resolve(void (turns += 1)) });
  expect(await isSameState(large(), large(), pace)).toBe(true);
  expect(turns).toBeGreaterThan(20);
});
