/** What comes first. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from './heap.ts';

test('gives the least of what is there', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 })), { maxLength: 60 }), (steps) => {
      const heap = new Heap<number>((one, other) => one < other);
      const model: number[] = [];
      for (const step of steps) {
        if (step !== null) heap.add(step);
        const found = step === null ? heap.next() : undefined;
        const [least] = step === null ? model.toSorted((one, other) => one - other) : [];
        expect(found).toBe(least);
        if (step !== null) model.push(step);
        if (found !== undefined) model.splice(model.indexOf(found), 1);
        expect(heap.size).toBe(model.length);
      }
      expect(Array.from(model, () => heap.next())).toEqual(model.toSorted((one, other) => one - other));
    }),
  );
});
