/** Documents sorted piece by piece are those sorted at once. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DocumentRow } from '../schema.ts';
import { compareDocuments } from './order.ts';
import { merged } from './sorting.ts';

const rowsOf = (ids: readonly string[], from = 0): readonly DocumentRow[] =>
  ids.map((id, index) => ({ number: from + index, collection: id.slice(0, 1), id, events: [] }));

/** All rows, and the number of pauses. */
function sorted(sortedBefore: readonly DocumentRow[], others: readonly DocumentRow[]) {
  const pieces = merged(sortedBefore, others);
  for (let pauses = 0; ; pauses += 1) {
    const { done, value } = pieces.next();
    if (done) return { rows: value, pauses };
  }
}

test('gives all rows in order, whatever was sorted before', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 })), fc.nat(), (ids, cut) => {
      const all = rowsOf(ids);
      const at = all.length === 0 ? 0 : cut % all.length;
      const before = all.slice(0, at).sort(compareDocuments);
      expect(sorted(before, all.slice(at)).rows).toEqual([...all].sort(compareDocuments));
    }),
  );
});

test('pauses after each piece, with as many rows as there are', () => {
  const ids = Array.from({ length: 30_000 }, (_, n) => `d${(n * 7_919) % 30_000}`);
  const all = rowsOf(ids);
  const { rows, pauses } = sorted([], all);
  expect(rows).toEqual([...all].sort(compareDocuments));
  expect(pauses).toBeGreaterThan(300);
  // Few are sorted without a pause.
  expect(sorted([], all.slice(0, 100)).pauses).toBe(0);
});
