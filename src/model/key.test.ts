import { describe, expect, test } from 'vitest';
import { InvalidDefinition, InvalidEvent } from '../errors.ts';
import { defineKey, idFinder, keyFields } from './key.ts';

const types = new Map([
  ['BOUGHT', 1],
  ['PAID', 1],
  ['OTHER', 1],
]);
const find = (key: unknown, event: { type: string; [field: string]: unknown }): readonly string[] | undefined =>
  idFinder('c', defineKey('c', key, types), event.type)?.(event);

describe('where a key finds ids', () => {
  test('a field, in events of any type', () => {
    expect(find('id', { type: 'BOUGHT', id: 's1' })).toEqual(['s1']);
    expect(find('id', { type: 'UNDECLARED_FAILED', id: 's1' })).toEqual(['s1']);
    expect(find('id', { type: 'BOUGHT' })).toEqual([]);
    expect(find('id', { type: 'BOUGHT', id: null })).toEqual([]);
  });

  test('several fields, arrays of ids; the same id once', () => {
    const key = ['buyer', 'seller', 'guests'];
    expect(find(key, { type: 'BOUGHT', buyer: 'a', seller: 'b', guests: ['c', 'a'] })).toEqual(['a', 'c', 'b']);
    expect(find(key, { type: 'BOUGHT', buyer: 'a', seller: 'a', guests: [] })).toEqual(['a']);
  });

  test('a map: fields, paths and functions for each type, and nothing for others', () => {
    const key = {
      BOUGHT: 'lines[].sku',
      PAID: ['desk.id', 'by'],
      OTHER: (e: { n: number }) => (e.n > 1 ? [`n${e.n}`, null] : undefined),
    };
    expect(find(key, { type: 'BOUGHT', lines: [{ sku: 'a' }, { sku: 'b' }, { sku: 'a' }, {}] })).toEqual(['a', 'b']);
    expect(find(key, { type: 'PAID', desk: { id: 'd' }, by: 'u' })).toEqual(['u', 'd']);
    expect(find(key, { type: 'OTHER', n: 2 })).toEqual(['n2']);
    expect(find(key, { type: 'OTHER', n: 1 })).toEqual([]);
    expect(find(key, { type: 'ELSE', lines: [{ sku: 'a' }] })).toBeUndefined();
  });

  test('nothing in what the system records about itself', () => {
    expect(find('command', { type: '$ERRORED', command: 'BUY' })).toBeUndefined();
  });

  test('a field that every object inherits is found only if the event has it', () => {
    expect(find('constructor', { type: 'BOUGHT' })).toEqual([]);
    expect(find('constructor', { type: 'BOUGHT', constructor: 'x' })).toEqual(['x']);
    expect(find({ BOUGHT: 'a.toString' }, { type: 'BOUGHT', a: {} })).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['line.sku', { line: [{ sku: 'a' }] }, 'an object, but met an array'],
    ['line.sku', { line: 'a' }, 'an object, but met a string'],
    ['line.at.sku', { line: { at: 5 } }, 'an object, but met a number'],
    ['line.at.sku', { line: false }, 'an object, but met a boolean'],
    ['lines[].sku', { lines: { sku: 'a' } }, 'an array, but met an object'],
    ['lines[].sku', { lines: 'a' }, 'an array, but met a string'],
    ['lines[].sku', { lines: [{ sku: 'a' }, 'b'] }, 'an object, but met a string'],
    ['lines[].sku', { lines: [[{ sku: 'a' }]] }, 'an object, but met an array'],
    ['lines[]', { lines: 'a' }, 'an array, but met a string'],
  ])('a path that meets another shape says so: %s in %j', (path, fields, said) => {
    const look = (): unknown => find({ BOUGHT: ['other', path] }, { type: 'BOUGHT', ...fields });
    expect(look).toThrow(
      expect.objectContaining({
        code: 'InvalidEvent',
        message: expect.stringContaining(`The path ${path} of collection c needs ${said}`) as string,
        details: { collection: 'c', path },
      }),
    );
  });

  test('what is missing on the way of a path is none', () => {
    for (const fields of [
      {},
      { line: null, lines: null },
      { line: {}, lines: [] },
      { line: { at: null }, lines: [null] },
    ])
      expect(find({ BOUGHT: ['line.at.sku', 'lines[].sku'] }, { type: 'BOUGHT', ...fields })).toEqual([]);
  });

  test('what is no id is named', () => {
    for (const id of ['', 7, true, {}, 'x'.repeat(600), 'a\0', ['ok', 5]]) {
      expect(() => find('id', { type: 'BOUGHT', id })).toThrow(InvalidEvent);
    }
  });
});

test('declared keys are in one form whatever the order they were written in', () => {
  const one = defineKey('c', { PAID: ['b', 'a'], BOUGHT: 'x' }, types).declared;
  const other = defineKey('c', { BOUGHT: ['x'], PAID: ['a', 'b', 'a'] }, types).declared;
  expect(JSON.stringify(one)).toBe(JSON.stringify(other));
  expect(JSON.stringify(defineKey('c', ['b', 'a'], types).declared)).toBe('{"fields":["a","b"]}');
});

test('the names that keys use are those of plain fields', () => {
  const key = defineKey(
    'c',
    { BOUGHT: ['lines[].sku', 'order_id'], PAID: 'desk.id', OTHER: () => 'x' },
    types,
  ).declared;
  expect(keyFields(key)).toEqual(['order_id']);
});

test('a field that failures have of their own may be one for types that are no failures', () => {
  expect(find({ BOUGHT: 'reason', PAID: 'details.id' }, { type: 'BOUGHT', reason: 'r' })).toEqual(['r']);
});

test.each([
  ['', 'must not be empty'],
  [[], 'a field name or several'],
  [5, 'must be a field name'],
  ['type', 'type'],
  ['reason', 'which every failure has itself'],
  [['order_id', 'details'], 'must not be the field details'],
  [['a', 5], 'must be a string'],
  [{ MISSPELT: 'a' }, "the domain doesn't have"],
  [{ BOUGHT: 5 }, 'for BOUGHT'],
  [{ BOUGHT: 'lines[0].sku' }, 'write it like'],
  [{ BOUGHT: 'a..b' }, 'write it like'],
])('the key %j is refused where it is defined', (key, said) => {
  expect(() => defineKey('c', key, types)).toThrow(InvalidDefinition);
  expect(() => defineKey('c', key, types)).toThrow(said);
});
