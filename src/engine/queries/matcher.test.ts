/** However much a query asks of a document, looking at it costs little more than its state is long. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { seeded } from '../../../test/support/seed.ts';
import { matcherOf } from './matcher.ts';
import { compareTexts } from './value-order.ts';
import { filterOf } from './where.ts';

const candidate = (state: unknown) => ({ id: 'd', version: 1, changed: 1, state });
const matches = (where: object, state: unknown): boolean => matcherOf(filterOf(where))(candidate(state));

const hasAll = (values: readonly unknown[]) => values.map((value) => ({ 'tags.all': { has: value } }));

/** The least of some tries, in milliseconds: others use the machine too. */
function leastMs(work: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const began = performance.now();
    work();
    return performance.now() - began;
  });
  return Math.min(...times);
}

describe('many items asked of one array', () => {
  test('are what they are one by one', () => {
    const items = [1, 0, 'a', '1', true, null, { has: 1 }, [5]];
    const state = { tags: { all: items } };
    const [there, missing] = [
      [1, 0, -0, 'a', '1', true, null],
      [2, 5, 'A', 'true', false, ''],
    ];
    expect(matches({ AND: hasAll(there) }, state)).toBe(true);
    for (const one of missing) expect(matches({ AND: hasAll([...there, one]) }, state)).toBe(false);
    expect(matches({ OR: hasAll(missing) }, state)).toBe(false);
    for (const one of there) expect(matches({ OR: hasAll([...missing, one]) }, state)).toBe(true);
    expect(matches({ NOT: { OR: hasAll(missing) }, AND: [{ OR: hasAll(there) }] }, state)).toBe(true);
    for (const other of [undefined, null, {}, 'a1', 1]) {
      expect(matches({ OR: hasAll(there) }, { tags: { all: other } })).toBe(false);
    }
  });

  test('cost one walk through it', () => {
    const state = { tags: { all: Array.from({ length: 200_000 }, () => 0) } };
    const one = leastMs(() => matches({ OR: hasAll([1, 2]) }, state));
    const many = leastMs(() => matches({ OR: hasAll(Array.from({ length: 400 }, (_, n) => n + 1)) }, state));
    expect(many).toBeLessThan(10 * one + 5);
  });
});

test('texts are ordered as their UTF-8 bytes, also with halves of pairs', () => {
  const random = seeded();
  const units = ['a', '\ud7ff', '\ue000', '\uffff', '\ufffd', '\ud83d', '\ude00', '\u{1f600}', '\u{10ffff}'];
  const text = () => Array.from({ length: 4 * random() }, () => units[Math.floor(random() * units.length)]).join('');
  for (let n = 0; n < 20_000; n += 1) {
    const [one, other] = [text(), text()];
    expect(Math.sign(compareTexts(one, other))).toBe(Buffer.compare(Buffer.from(one), Buffer.from(other)));
  }
});

test('long texts are compared no further than they differ, whatever characters they have', () => {
  const long = '\u{1f600}'.repeat(2_000_000);
  const other = `\u{ffff}${long}`;
  const ms = leastMs(() => {
    for (let n = 0; n < 100; n += 1) if (compareTexts(long, other) <= 0) throw new Error('the order is wrong');
  });
  expect(ms).toBeLessThan(20);
});
