/** What is kept of what was used last: never more of it, in number or weight, than it may be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recent, RecentDocuments, type Kept } from './recent.ts';

const weighing = { max: 100, of: ({ weight }: { weight: number }) => weight };

test('holds no more than it may, says what it weighs, and gives back what was kept last', () => {
  const step = fc.record({
    id: fc.constantFrom(...'abcdefghij'),
    does: fc.constantFrom('set', 'get', 'delete', 'find', 'replace'),
    weight: fc.integer({ min: 0, max: 120 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 12 }), (steps, entriesMax) => {
      const recent = new RecentDocuments(entriesMax, weighing);
      const last = new Map<string, { weight: number }>();
      const places = new Map<string, Kept<{ weight: number }>>();
      const stale: string[] = [];
      for (const { id, does, weight } of steps) {
        if (does === 'set') {
          const value = { weight };
          last.set(id, value);
          recent.set('c', id, value);
        } else if (does === 'find') {
          const place = recent.find('c', id);
          if (place) places.set(id, place);
        } else if (does === 'replace') {
          const place = places.get(id);
          const value = { weight };
          if (place && recent.replace(place, value)) last.set(id, value);
        } else if (does === 'delete') {
          last.delete(id);
          recent.delete('c', id);
        } else {
          const found = recent.get('c', id);
          if (found && found !== last.get(id)) stale.push(id);
        }
        // Nobody is given, or keeps in memory, what isn't the last.
        for (const [name, { value }] of places) if (value && value !== last.get(name)) stale.push(name);
        expect(stale).toEqual([]);
        expect(recent.size).toBeLessThanOrEqual(Math.max(2, entriesMax));
        expect(recent.weight).toBeLessThanOrEqual(weighing.max);
      }
    }),
  );
});

test('keeps what is used, and forgets what is too heavy by itself', () => {
  const recent = new RecentDocuments(1_000, weighing);
  const used = { weight: 20 };
  recent.set('c', 'used', used);
  for (let n = 0; n < 50; n += 1) {
    recent.set('c', `other${n}`, { weight: 10 });
    expect(recent.get('c', 'used')).toBe(used);
  }
  expect(recent.weight).toBeGreaterThanOrEqual(50);
  recent.set('c', 'used', { weight: 101 });
  expect(recent.get('c', 'used')).toBeUndefined();
  recent.set('c', 'heavy', { weight: 100 });
  expect(recent.get('c', 'heavy')).toEqual({ weight: 100 });
  expect(recent.weight).toBe(100);
});

test('a bounded map keeps what was used last, the newest value of it, and never more than it may', () => {
  const map = new Recent<number, number>(100);
  for (let key = 0; key < 1_000; key++) {
    map.set(key, key);
    map.set(7, -key);
    expect(map.get(7)).toBe(-key);
    expect(map.get(key === 7 ? 8 : key)).toBe(key === 7 ? undefined : key);
  }
  const kept = Array.from({ length: 1_000 }, (_, key) => key).filter((key) => map.has(key));
  expect(kept.length).toBeLessThanOrEqual(100);
  expect(kept).toContain(7);
  map.clear();
  expect(map.get(7)).toBeUndefined();
});
