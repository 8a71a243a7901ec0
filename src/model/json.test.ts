import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalJson,
  describeFault,
  freezePlain,
  freezeWherePlain,
  jsonFault,
  JSON_DEPTH_MAX,
  keptCopy,
  plainCopy,
} from './json.ts';

describe('jsonFault', () => {
  class Money {
    cents = 5;
  }
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const cases: readonly [string, unknown, string][] = [
    ['a date', { at: new Date(0) }, 'at: an instance of Date is not plain JSON'],
    ['a bigint', { a: { b: 5n } }, 'a.b: a bigint is not JSON'],
    ['NaN', { list: [1, NaN] }, 'list[1]: NaN is not a JSON number'],
    ['Infinity', [Infinity], '[0]: Infinity is not a JSON number'],
    ['a class instance', { price: new Money() }, 'price: an instance of Money is not plain JSON'],
    ['a map', { m: new Map() }, 'm: an instance of Map is not plain JSON'],
    ['a function', { f: () => 1 }, 'f: a function is not JSON'],
    ['a symbol', { s: Symbol('s') }, 's: a symbol is not JSON'],
    ['a lone surrogate', { s: 'x\ud800y' }, 's: a lone surrogate, which isn’t well-formed Unicode'],
    ['a NUL', { s: 'a\0b' }, 's: a NUL character'],
    ['a NUL in a name', { 'a\0': 1 }, '"a\\u0000": the field\'s name: a NUL character'],
    ['__proto__', JSON.parse('{"a":{"__proto__":{"x":1}}}'), 'a.__proto__: a field must not be named __proto__'],
    ['undefined in an array', [undefined], '[0]: undefined is not JSON'],
    // eslint-disable-next-line no-sparse-arrays -- the hole is what is tested
    ['a hole in an array', [[, 1]], '[0][0]: undefined is not JSON'],
  ];
  test.each(cases)('finds %s, with the path to it', (_, value, said) => {
    const fault = jsonFault(value);
    expect(fault && describeFault(fault)).toBe(said);
  });

  test('finds a cycle, and nesting without end', () => {
    expect(jsonFault(cycle)?.problem).toContain(`deeper than ${JSON_DEPTH_MAX} levels`);
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(jsonFault(deep)?.problem).toContain('nested deeper');
  });

  test('finds what would write itself otherwise, and what is endless although it has no cycle', () => {
    expect(jsonFault(Object.assign([1], { toJSON: () => 2 }))?.problem).toBe('it has a toJSON');
    expect(jsonFault(Object.defineProperty({}, 'toJSON', { value: () => 2 }))?.problem).toBe('it has a toJSON');
    let doubled: unknown = {};
    for (let level = 0; level < 60; level += 1) doubled = [doubled, doubled];
    expect(jsonFault(doubled)?.problem).toContain('more than');
  });

  test('lets plain JSON pass, and undefined fields, which are as if absent', () => {
    expect(
      jsonFault({ a: [1, 'x', null, true, { b: -0 }], gone: undefined, '': { constructor: 'x' } }),
    ).toBeUndefined();
    expect(jsonFault(Object.assign(Object.create(null) as object, { a: 1 }))).toBeUndefined();
  });

  test('what it lets pass comes back from JSON the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // The one name that is refused.
        fc.pre(!JSON.stringify(value).includes('"__proto__":'));
        expect(jsonFault(value)).toBeUndefined();
        // But for the sign of zero, which JSON doesn't have: a computed price of -0 is no reason to refuse an event.
        const unsigned: unknown = JSON.parse(JSON.stringify(value), (_, part: unknown) => (part === 0 ? 0 : part));
        expect(JSON.parse(JSON.stringify(value))).toEqual(unsigned);
        expect(JSON.stringify(unsigned)).toBe(JSON.stringify(value));
      }),
    );
  });
});

describe('plainCopy', () => {
  test('is what JSON gives back, field by field in the same order, and shares nothing that could change', () => {
    const undefinedSomewhere = fc.object({
      maxDepth: 4,
      values: [fc.string(), fc.integer(), fc.constant(-0), fc.boolean()],
    });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), undefinedSomewhere), (value) => {
        fc.pre(jsonFault(value) === undefined);
        const copied = plainCopy(value);
        const back: unknown = JSON.parse(JSON.stringify(value));
        const written = JSON.stringify(back);
        const bytes = (copied as { bytes: number }).bytes;
        expect(copied).toStrictEqual({ copy: back, bytes });
        expect(JSON.stringify((copied as { copy: unknown }).copy)).toBe(written);
        // Never more than it is: what is refused for its bytes has too many.
        expect(bytes).toBeLessThanOrEqual(Buffer.byteLength(written));
        expect(plainCopy(value, bytes)).toStrictEqual(copied);
        expect(plainCopy(value, bytes - 1)).toMatchObject({ over: true });
      }),
    );
    expect(plainCopy({ a: undefined, b: [-0] })).toStrictEqual({ copy: { b: [0] }, bytes: 9 });
    const inner = [1];
    const copied = plainCopy({ inner }) as { copy: { inner: unknown } };
    inner.push(2);
    expect(copied.copy.inner).toEqual([1]);
  });

  test('looks at each field once: what was checked is what was copied', () => {
    let looked = 0;
    const value = {
      get n(): unknown {
        return (looked += 1) === 1 ? 1 : NaN;
      },
    };
    expect(plainCopy(value)).toStrictEqual({ copy: { n: 1 }, bytes: 7 });
    expect(looked).toBe(1);
  });
});

/** What is made of a value; or the fault. */
const kept = (value: unknown): unknown => {
  const copied = keptCopy(value);
  return 'copy' in copied ? copied.copy : copied.fault;
};

/** At how many levels a state is refused that grows by them. */
function refusedAt(grow: (state: unknown) => unknown): number {
  let state: unknown = 1;
  for (let levels = 1; levels < 1_000; levels += 1) {
    const copied = keptCopy(grow(state));
    if ('fault' in copied) return copied.fault.problem.includes('deeper than') ? levels : NaN;
    state = copied.copy;
  }
  return Infinity;
}

describe('keptCopy', () => {
  test('is what JSON gives back, frozen all the way down, whoever holds what it was made of', () => {
    const row = { seat: 1 };
    const given = { a: { b: [row] }, gone: undefined, zero: -0, lone: '\ud800' };
    const copy = kept(given) as typeof given;
    row.seat = 2;
    expect(copy).toEqual({ a: { b: [{ seat: 1 }] }, zero: 0, lone: '\ud800' });
    expect(Object.keys(copy)).toEqual(['a', 'zero', 'lone']);
    expect(() => (copy.a.b[0]!.seat = 2)).toThrow(TypeError);
    expect(() => copy.a.b.push({ seat: 2 })).toThrow(TypeError);
    expect(Object.isFrozen(given)).toBe(false);
  });

  test('drops what JSON drops: named fields of an array, symbols, what isn’t enumerable', () => {
    const found = /(?<row>[A-Z])/.exec('A');
    const hidden = Object.defineProperty({ a: 1, [Symbol('s')]: { row: 'A' } }, 'b', { value: { row: 'A' } });
    expect(kept({ found, hidden })).toEqual({ found: ['A', 'A'], hidden: { a: 1 } });
    expect(Reflect.ownKeys((kept({ found }) as { found: object }).found)).toEqual(['0', '1', 'length']);
    expect(Reflect.ownKeys((kept({ hidden }) as { hidden: object }).hidden)).toEqual(['a']);
  });

  test('looks at a getter once', () => {
    let looked = 0;
    const copy = kept({
      get n() {
        return (looked += 1);
      },
    }) as { n: number };
    expect([copy.n, copy.n, looked]).toEqual([1, 1, 1]);
  });

  test('keeps what it has made itself, once that comes again', () => {
    const list = [{ open: 1 }, { open: 2 }];
    const first = kept({ list }) as { list: object };
    const second = kept({ ...first, n: 1 }) as { list: object };
    const third = kept({ ...second, n: 2 }) as { list: object };
    expect(third.list).toBe(second.list);
    expect(third).toEqual({ list: [{ open: 1 }, { open: 2 }], n: 2 });
  });

  test('trusts nothing that arrives frozen: neither to be frozen further in, nor to be plain', () => {
    const lines = Object.freeze(Array.from({ length: 100 }, (_, n) => ({ n })));
    const copy = kept(Object.freeze({ lines })) as { lines: typeof lines };
    lines[0]!.n = 7;
    expect(copy.lines[0]).toEqual({ n: 0 });
    expect(copy.lines.every((line) => Object.isFrozen(line))).toBe(true);
    expect(kept(Object.freeze([...Array.from({ length: 50 }, (_, n) => n), NaN]))).toMatchObject({ path: '[50]' });
    for (const value of [
      new Date(0),
      new Map([[1, 1]]),
      /x/,
      new (class List extends Array {})(),
      new (class Point {
        x = 1;
      })(),
    ]) {
      const within = Object.freeze({ deep: Object.freeze([Object.freeze({ value: Object.freeze(value) })]) });
      for (let time = 0; time < 3; time += 1) expect(kept(within)).toMatchObject({ path: 'deep[0].value' });
    }
  });

  test('counts what it skips: a state that grows inwards, or doubles, is refused where one made at once would be', () => {
    expect(refusedAt((inner) => ({ inner }))).toBe(JSON_DEPTH_MAX + 1);
    // Its deepest part is not its last; what lies beside the innermost is a level of its own.
    expect(refusedAt((inner) => [{ flat: true }, inner, { flat: true }])).toBe(JSON_DEPTH_MAX);
    let doubled: unknown = {};
    let times = 0;
    for (let copied = keptCopy(doubled); 'copy' in copied; copied = keptCopy(doubled)) {
      doubled = [copied.copy, copied.copy];
      times += 1;
    }
    // Of 2 ** 22 - 1 parts: the first above 4,000,000.
    expect(times).toBe(21);
  });

  test('names what is no JSON, with its path, also in a cycle', () => {
    expect(kept({ a: [{ at: new Date(0) }] })).toEqual({
      path: 'a[0].at',
      problem: 'an instance of Date is not plain JSON',
    });
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(kept(cycle)).toMatchObject({ problem: expect.stringContaining('a cycle') as string });
    expect(kept(JSON.parse('{"__proto__":{"x":1}}'))).toMatchObject({ path: '__proto__' });
  });

  test('a copy that is made while another is made disturbs neither', () => {
    const inner = { deep: [[[1]]] };
    const outer = {
      get a() {
        return (kept({ ...inner, bad: NaN }) as { path: string }).path;
      },
      b: { lone: '\ud800' },
    };
    expect(kept(outer)).toEqual({ a: 'bad', b: { lone: '\ud800' } });
    expect(plainCopy(outer)).toMatchObject({ fault: { path: 'b.lone' } });
  });
});

test('what somebody has put on Object.prototype is no field of anything', () => {
  const prototype = Object.prototype as { helpers?: object };
  prototype.helpers = { on: true };
  try {
    const value = JSON.parse('{"a":{"b":[{"c":1}]}}') as { a: { b: { c: number }[] } };
    freezePlain(value);
    expect(Object.isFrozen(value.a.b[0])).toBe(true);
    expect(Object.isFrozen(prototype.helpers)).toBe(false);
    for (const copied of [plainCopy(value), keptCopy(value)]) {
      expect('copy' in copied && Object.keys(copied.copy as object)).toEqual(['a']);
    }
    expect(canonicalJson(value)).toBe('{"a":{"b":[{"c":1}]}}');
  } finally {
    delete prototype.helpers;
  }
});

test('freezeWherePlain freezes beside what isn’t plain, and does not follow a cycle for ever', () => {
  const value: { at: Date; list: object[]; self?: unknown } = { at: new Date(0), list: [{ n: 1 }] };
  value.self = value;
  freezeWherePlain(value);
  expect(Object.isFrozen(value.list[0])).toBe(true);
  value.at.setTime(5);
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  freezeWherePlain(deep);
});

describe('canonicalJson', () => {
  test('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const turned = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(object));
        expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  test('drops undefined fields, as JSON does', () => {
    expect(canonicalJson({ b: undefined, c: [{ z: 1, a: 'é' }], a: null })).toBe('{"a":null,"c":[{"a":"é","z":1}]}');
  });
});
