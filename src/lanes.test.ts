/** Who waits, in lanes that take turns. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lanes } from './lanes.ts';
import type { Place } from './line.ts';

const names = ['a', 'b', 'c'];

test('lanes have turns in the order in which they came to stand there, or were named, last', () => {
  const name = fc.constantFrom(...names);
  const step = fc.oneof(
    fc.record({ joins: name }),
    fc.record({ leaves: fc.nat(20) }),
    fc.record({ next: fc.option(name, { nil: undefined }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const lanes = new Lanes<number>();
      let model: { readonly name: string; line: number[] }[] = [];
      const places: { readonly name: string; readonly place: Place<number> }[] = [];
      /** What the lanes answer, and what they should. */
      const taken = (n: number, one: (typeof steps)[number]): [unknown, unknown] => {
        if ('joins' in one) {
          places.push({ name: one.joins, place: lanes.add(one.joins, n) });
          const lane = model.find((own) => own.name === one.joins);
          if (lane) lane.line.push(n);
          else model.push({ name: one.joins, line: [n] });
          return [undefined, undefined];
        }
        if ('leaves' in one) {
          const left = places[one.leaves];
          if (!left) return [undefined, undefined];
          const lane = model.find((own) => own.name === left.name && own.line.includes(left.place.value));
          if (lane) lane.line = lane.line.filter((value) => value !== left.place.value);
          return [lanes.leave(left.name, left.place), lane !== undefined];
        }
        const lane = one.next === undefined ? model[0] : model.find((own) => own.name === one.next);
        if (lane) model = [...model.filter((other) => other !== lane), lane];
        return [lanes.next(one.next), lane?.line.shift()];
      };
      for (const [n, one] of steps.entries()) {
        const [found, right] = taken(n, one);
        expect(found).toBe(right);
        model = model.filter(({ line }) => line.length > 0);
        expect([...lanes.names()]).toEqual(model.map((lane) => lane.name));
        expect(names.map((own) => lanes.sizeOf(own))).toEqual(
          names.map((own) => model.find((lane) => lane.name === own)?.line.length ?? 0),
        );
        expect(lanes.size).toBe(model.flatMap(({ line }) => line).length);
        expect(lanes.nextBut('a')).toBe(model.find((lane) => lane.name !== 'a')?.name);
      }
    }),
  );
});
