import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareDocuments, compareStrings } from './order.ts';

it('orders strings as their UTF-8 bytes are ordered', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'é', '\uD7FF', '\uE000', '\uFFFF', '\u{10000}', '\u{1F30A}'),
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareStrings(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

it('orders documents by collection before id', () => {
  expect(compareDocuments({ collection: 'a', id: 'z' }, { collection: 'b', id: 'a' })).toBeLessThan(0);
  expect(compareDocuments({ collection: 'a', id: 'z' }, { collection: 'a', id: 'a' })).toBeGreaterThan(0);
  expect(compareDocuments({ collection: 'a', id: 'z' }, { collection: 'a', id: 'z' })).toBe(0);
});
