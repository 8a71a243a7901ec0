/**
 * Values that no caller should pass, and some do. Each is made anew when it is needed (a function that returns it), so
 * that nothing a run froze or used up comes back in the next.
 */
/* eslint-disable unicorn/consistent-function-scoping -- beside its use */
/* eslint-disable unicorn/no-thenable -- hostile on purpose */
import fc from 'fast-check';

export type Make = () => unknown;

class Money {
  amount = 1;
}

function named(name: string, make: Make): Make {
  return Object.assign(make, { toString: () => name });
}

function throwing(): object {
  const fail = (): never => {
    throw new RangeError('trap');
  };
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function nested(depth: number): unknown {
  let value: unknown = 'core';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { inner: value };
  return value;
}

/** Small in memory, beyond all bounds when written out. */
function unfolding(): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < 60; level += 1) value = [value, value];
  return value;
}

function cycle(): unknown {
  const one: Record<string, unknown> = {};
  one['self'] = { back: [one] };
  return one;
}

function unsteady(...values: unknown[]): object {
  let reads = 0;
  return Object.defineProperty({}, 'field', { enumerable: true, get: () => values[reads++ % values.length] });
}

/** Objects, functions and symbols of the worse kind. */
export const SPECIAL: readonly Make[] = [
  named('undefined', () => undefined),
  named('NaN', () => NaN),
  named('Infinity', () => -Infinity),
  named('-0', () => -0),
  named('bigint', () => 12n),
  named('symbol', () => Symbol('s')),
  named('function', () => () => 'x'),
  named('generator function', () => function* () {}),
  named('lone surrogate', () => 'a\ud800b'),
  named('low surrogate', () => '\udc00'),
  named('NUL', () => 'a\0b'),
  named('a field with NUL', () => ({ 'a\0': 1 })),
  named('a field with a surrogate', () => ({ '\udfff': 1 })),
  named('Date', () => new Date(0)),
  named('invalid Date', () => new Date(NaN)),
  named('RegExp', () => /x/g),
  named('Map', () => new Map([[1, 2]])),
  named('Set', () => new Set([1])),
  named('Error', () => new TypeError('passed')),
  named('Buffer', () => Buffer.from('x')),
  named('Float64Array', () => new Float64Array([NaN])),
  named('boxed string', () => Object('x') as unknown),
  named('boxed number', () => Object(1) as unknown),
  named('boxed bigint', () => Object(1n) as unknown),
  named('class instance', () => new Money()),
  named('promise', () => Promise.resolve({ type: 'ANY' })),
  named('rejected promise', () => Promise.reject(new Error('nobody waits for this'))),
  named('thenable', () => ({ then: 1 })),
  named('thenable that throws', () => ({
    get then() {
      throw new Error('then');
    },
  })),
  named('sparse array', () => [1, , 3]), // eslint-disable-line no-sparse-arrays
  named('huge sparse array', () => Array(2 ** 31)),
  named('array with fields', () => Object.assign([1, 2], { extra: true })),
  named('array of a class', () => new (class Rows extends Array {})(3)),
  named('array with toJSON', () => Object.assign([1], { toJSON: () => 'replaced' })),
  named('toJSON', () => ({ a: 1, toJSON: () => ({ b: 2 }) })),
  named('toJSON that throws', () => ({
    toJSON: () => {
      throw new Error('toJSON');
    },
  })),
  named('null prototype', () => Object.assign(Object.create(null) as object, { a: 1 })),
  named('inherited fields', () => Object.create({ inherited: 1 }) as unknown),
  named('symbol fields', () => ({ [Symbol('k')]: 1, a: 1 })),
  named('hidden field', () => Object.defineProperty({ a: 1 }, 'hidden', { value: 1n, enumerable: false })),
  named('__proto__ of its own', () => JSON.parse('{"__proto__":{"admin":true},"a":1}') as unknown),
  named('constructor', () => ({ constructor: 1, hasOwnProperty: 2, valueOf: null })),
  named('frozen', () => Object.freeze({ a: { b: [1] } })),
  named('sealed', () => Object.seal({ a: { b: [1] } })),
  named('frozen with a Date in it', () => Object.freeze({ a: Object.freeze({ when: new Date(0) }) })),
  named('getter that throws', () => ({
    get a() {
      throw new Error('getter');
    },
  })),
  named('getter that throws nothing', () => ({
    get a() {
      throw undefined; // eslint-disable-line no-throw-literal
    },
  })),
  named('unsteady getter', () => unsteady(1, NaN, 'a\ud800')),
  named('unsteady getter of objects', () => unsteady({ a: 1 }, 5n, new Date(0), undefined)),
  named('proxy that throws', throwing),
  named('revoked proxy', revoked),
  named('proxy of a plain object', () => new Proxy({ a: { b: 1 } }, {})),
  named('proxy of an array', () => new Proxy([1, 2], {})),
  named('endless ownKeys', () => new Proxy({}, { ownKeys: () => Array.from({ length: 50_000 }, (_, n) => `k${n}`) })),
  named('cycle', cycle),
  named('array cycle', () => {
    const list: unknown[] = [];
    list.push(list);
    return list;
  }),
  named('deep', () => nested(101)),
  named('very deep', () => nested(20_000)),
  named('at the limit of depth', () => nested(98)),
  named('unfolding', unfolding),
  named('long text', () => 'é'.repeat(700_000)),
  named('many fields', () => Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`f${n}`, n]))),
  named('globalThis', () => globalThis),
  named('error whose message throws', () =>
    Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('message');
      },
    }),
  ),
];

/** Plain JSON, with what JSON knows but few think of among its texts and fields. */
export const json: fc.Arbitrary<Make> = fc
  .letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        fc.constantFrom<unknown>(
          null,
          true,
          false,
          0,
          -0,
          1e308,
          5e-324,
          2 ** 53,
          '',
          ' ',
          '\u2028',
          '\ufeff',
          'é',
          '𝒳',
        ),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
      ),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.oneof(
          fc.constantFrom('a', 'b', '10', '9', 'id', 'Z', 'é', '\ufb01', '𝒳', ''),
          fc.string({ unit: 'grapheme-ascii' }),
        ),
        tie('value'),
        { maxKeys: 4, noNullPrototype: true },
      ),
    ),
  }))
  .value.filter((value) => !JSON.stringify(value).includes('__proto__'))
  // Made anew: fast-check keeps the original, to shrink it.
  .map((value) => named(JSON.stringify(value), () => structuredClone(value)));

/** A special value by itself, or somewhere within plain JSON. */
export const hostile: fc.Arbitrary<Make> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...SPECIAL) },
  { weight: 1, arbitrary: json },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...SPECIAL), json, fc.constantFrom('array', 'field', 'deeper'))
      .map(([make, plain, where]) =>
        named(`${String(make)} in ${where} beside ${String(plain)}`, () =>
          where === 'array'
            ? [plain(), make()]
            : where === 'field'
              ? { a: plain(), b: make() }
              : { a: [{ b: make() }], c: plain() },
        ),
      ),
  },
);

/** Whether a value and all in it are frozen. */
export function isFrozenDeeply(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenDeeply);
}
