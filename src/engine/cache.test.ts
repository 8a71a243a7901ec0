/** The document cache: what nobody has used yet doesn't push out what is dear to load. */
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { Folded } from '../model/reduce.ts';
import { DocumentCache } from './cache.ts';

const at = (version: number): Folded => ({ version, changed: version, state: {}, bytes: 2 });

test('who asks for ids that nobody uses pushes out none that are used', () => {
  const cache = new DocumentCache({ ...DEFAULT_LIMITS, cacheEntriesMax: 1_000 });
  for (let n = 0; n < 100; n += 1) cache.remember('docs', `used${n}`, at(7), cache.epoch);
  for (let n = 0; n < 10_000; n += 1) cache.remember('docs', `none${n}`, at(0), cache.epoch);
  for (let n = 0; n < 100; n += 1) expect(cache.get('docs', `used${n}`)?.version).toBe(7);
  expect(cache.get('docs', 'none9999')?.version).toBe(0);
  expect(cache.size).toBeLessThan(1_000);
});

test('a document moves forward only, from version 0 as well', () => {
  const cache = new DocumentCache(DEFAULT_LIMITS);
  for (const version of [0, 1, 0, 2, 1]) cache.remember('docs', 'a', at(version), cache.epoch);
  expect([cache.get('docs', 'a')?.version, cache.size]).toEqual([2, 1]);
  cache.remember('docs', 'b', at(0), cache.epoch);
  for (const id of ['a', 'b']) cache.forget('docs', id);
  expect([cache.get('docs', 'a'), cache.get('docs', 'b'), cache.size, cache.bytes]).toEqual([
    undefined,
    undefined,
    0,
    0,
  ]);
});
