/** What is told of values of another realm (lesson 40). */
import { createContext, runInContext } from 'node:vm';
import { describe, expect, it, test } from 'vitest';
import { hasCode, isTidemarkError, StoreUnavailable } from './errors.ts';
import { abortController, isAbortSignal, isPlainArray, isPlainObject } from './realm.ts';

const elsewhere = createContext({});
/** What an expression is in another realm. */
const there = (expression: string): object => runInContext(`(${expression})`, elsewhere) as object;

test.each([
  ['[]', true],
  ['JSON.parse("[]")', true],
  ['new (class List extends Array {})()', false],
  ['Object.setPrototypeOf([], null)', false],
  ['Object.setPrototypeOf([], {})', false],
  ['Object.setPrototypeOf([], [])', false],
])('%s is a plain array, in any realm: %s', (expression, plain) => {
  expect(isPlainArray(there(expression) as unknown[])).toBe(plain);
  // eslint-disable-next-line no-eval -- the same expression in this realm
  expect(isPlainArray((0, eval)(`(${expression})`) as unknown[])).toBe(plain);
});

describe('a plain object', () => {
  it.each([
    '{}',
    '{ a: { b: 1 } }',
    'JSON.parse("{}")',
    'Object.create(null)',
    'new Object()',
    'Object.fromEntries([["a", 1]])',
  ])('is %s, in any realm', (expression) => {
    expect(isPlainObject(there(expression))).toBe(true);
    expect(isPlainObject({})).toBe(true);
  });

  it.each([
    'new Date()',
    'new Map()',
    'new Set()',
    'new (class A {})()',
    'new (class extends Array {})()',
    'Object(1)',
    'Object("a")',
    'new Error("x")',
    '/x/',
    'Promise.resolve()',
    'new Uint8Array(1)',
    'new Proxy(new Date(), {})',
    'new Proxy(new (class A {})(), {})',
    'Object.create({})',
    'Object.create(Object.create(null))',
    // What goes by the name of Object, or points at it.
    'new (class Object {})()',
    'new (function Object() {})()',
    '(() => { class Object {} Reflect.setPrototypeOf(Object.prototype, null); return new Object() })()',
    '(() => { function Object() {} Object.prototype = { __proto__: null, constructor: Object }; return new Object() })()',
    'Object.create({ __proto__: null, constructor: Object })',
    '(() => { const maker = Object.bind(); maker.prototype = { __proto__: null, constructor: maker }; return { __proto__: maker.prototype } })()',
    '(() => { const maker = new Proxy(Object, {}); return { __proto__: { __proto__: null, constructor: maker } } })()',
    '{ __proto__: { __proto__: null, get constructor() { return Object } } }',
  ])('is not %s', (expression) => {
    expect(isPlainObject(there(expression))).toBe(false);
  });
});

describe('an AbortSignal', () => {
  it('is known by what it can do', () => {
    const { signal } = abortController();
    expect([signal, new AbortController().signal, AbortSignal.abort()].every(isAbortSignal)).toBe(true);
    // As jsdom has them.
    const { aborted, addEventListener, removeEventListener, throwIfAborted } = signal;
    expect(isAbortSignal({ aborted, addEventListener, removeEventListener, throwIfAborted })).toBe(true);
    for (const value of [undefined, null, 'abort', {}, { aborted: false }, new EventTarget(), new AbortController()]) {
      expect(isAbortSignal(value)).toBe(false);
    }
    // One that only looks like it says so when it is asked.
    expect(() => isAbortSignal(Object.create(AbortSignal.prototype))).toThrow(TypeError);
  });
});

describe('an error of ours', () => {
  it('is known by its mark, and by its code', () => {
    const away = new StoreUnavailable('away');
    expect([isTidemarkError(away), hasCode(away, 'StoreUnavailable'), hasCode(away, 'Closed')]).toEqual([
      true,
      true,
      false,
    ]);
    const hostile = new Proxy(
      {},
      {
        has() {
          throw new Error('no');
        },
      },
    );
    for (const value of [
      undefined,
      null,
      'away',
      new Error('away'),
      { ...away },
      { code: 'StoreUnavailable' },
      hostile,
    ]) {
      expect([isTidemarkError(value), hasCode(value, 'StoreUnavailable')]).toEqual([false, false]);
    }
  });
});
