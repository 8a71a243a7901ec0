/** Who waits in line. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Line, type Place } from './line.ts';

test('is the order in which they came, whoever leaves', () => {
  const join = fc.constantFrom('last' as const, 'first' as const);
  const leave = fc.record({ leaves: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(fc.oneof(join, leave, fc.constant('next' as const)), { maxLength: 40 }), (steps) => {
      const line = new Line<number>();
      const model: number[] = [];
      const places: Place<number>[] = [];
      /** What the line answers, and what it should. */
      const taken = (n: number, step: (typeof steps)[number]): [unknown, unknown] => {
        if (step === 'next') return [line.next(), model.shift()];
        if (step === 'last') return [places.push(line.add(n)), model.push(n) && places.length];
        if (step === 'first') return [places.push(line.addFirst(n)), model.unshift(n) && places.length];
        const place = places[step.leaves];
        const at = place ? model.indexOf(place.value) : -1;
        if (at >= 0) model.splice(at, 1);
        return [line.leave(place), at >= 0];
      };
      for (const [n, step] of steps.entries()) {
        const [found, right] = taken(n, step);
        expect(found).toBe(right);
        expect([line.size, line.first]).toEqual([model.length, model[0]]);
        expect([...line.fromLast()]).toEqual(model.toReversed());
      }
      const rest = Array.from(model, () => line.next());
      expect(rest).toEqual(model);
      expect([line.size, line.next(), ...line.fromLast()]).toEqual([0, undefined]);
    }),
  );
});

test('a place is in one line only', () => {
  const [one, other] = [new Line<string>(), new Line<string>()];
  const place = one.add('a');
  expect(other.leave(place)).toBe(false);
  expect(one.first).toBe('a');
});
