import { describe, expect, test } from 'vitest';
import { InvalidDefinition, InvalidEvent } from '../errors.ts';
import { idFinder } from './find-ids.ts';
import { defineKey, keyFields } from './key.ts';

const types = new Map([
  ['BOUGHT', { stored: 'BOUGHT', fields: () => undefined }],
  ['PAID', { stored: 'PAID', fields: () => undefined }],
  ['OTHER', { stored: 'OTHER', fields: () => undefined }],
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

describe('templates', () => {
  test('make an id of fields, for all types or for one', () => {
    const fields = { room_id: 'r1', day: 'monday' };
    expect(find('{room_id}/{day}', { type: 'BOUGHT', ...fields })).toEqual(['r1/monday']);
    expect(find('{room_id}/{day}', { type: 'UNDECLARED_FAILED', ...fields })).toEqual(['r1/monday']);
    expect(find({ PAID: 'room {room_id} / {day}!' }, { type: 'PAID', ...fields })).toEqual(['room r1 / monday!']);
    expect(find({ PAID: '{room_id}/{day}' }, { type: 'BOUGHT', ...fields })).toBeUndefined();
    expect(find('day-{day}', { type: 'BOUGHT', ...fields })).toEqual(['day-monday']);
  });

  test('beside fields, paths and other templates; each id once', () => {
    const key = { PAID: ['{to}/{day}', 'desk.id', '{from}/{day}'] };
    const event = { type: 'PAID', from: 'r1', to: 'r2', day: 'd', desk: { id: 'r1/d' } };
    expect(find(key, event)).toEqual(['r1/d', 'r2/d']);
  });

  test('attach nothing where a field is null or missing, whatever the others are', () => {
    for (const fields of [
      {},
      { a: 'x' },
      { a: 'x', b: null },
      { a: 5, b: undefined },
      { a: [], b: 'x' },
      { a: [null], b: 'x' },
    ])
      expect(find('{a}/{b}', { type: 'BOUGHT', ...fields })).toEqual([]);
  });

  test('one field may be an array: an id for each item', () => {
    expect(find('{a}/{b}/{c}', { type: 'BOUGHT', a: 'x', b: ['1', null, '2', '1'], c: 'y' })).toEqual([
      'x/1/y',
      'x/2/y',
    ]);
    expect(() => find('{a}/{b}', { type: 'BOUGHT', a: ['x'], b: ['y'] })).toThrow('b is an array, as a is');
  });

  test('encode in values what has a meaning in templates', () => {
    expect(find('{a}/{b}', { type: 'BOUGHT', a: '1/2', b: '{50%}' })).toEqual(['1%2F2/%7B50%25%7D']);
    expect(find('{a}/{b}', { type: 'BOUGHT', a: '1', b: '2/x' })).not.toEqual(
      find('{a}/{b}', { type: 'BOUGHT', a: '1/2', b: 'x' }),
    );
  });

  test.each([7, true, '', 'a\0', '\ud800', {}, 'x'.repeat(511), ['ok', 5], ['/'.repeat(180)]])(
    'refuse %j as a part of an id, by name',
    (b) => {
      expect(() => find('{a}/{b}', { type: 'BOUGHT', a: 'x', b })).toThrow(
        expect.objectContaining({
          code: 'InvalidEvent',
          message: expect.stringContaining('The template {a}/{b} of collection c: ') as string,
          details: { collection: 'c', path: expect.stringMatching(/^[ab]$/) as string, template: '{a}/{b}' },
        }),
      );
    },
  );

  test('are declared as what they are, and give their fields to failures', () => {
    const all = defineKey('c', ['{b}/{a}', 'x'], types);
    expect(JSON.stringify(all.declared)).toBe('{"fields":["x",{"template":"{b}/{a}"}]}');
    expect(keyFields(all.declared)).toEqual(['x', 'b', 'a']);
    const map = defineKey('c', { PAID: '{a}/{b}', BOUGHT: ['l[].x', '{a}/{b}'] }, types);
    expect(JSON.stringify(map.declared)).toBe(
      '{"types":{"BOUGHT":["l[].x",{"template":"{a}/{b}"}],"PAID":[{"template":"{a}/{b}"}]}}',
    );
    expect(keyFields(map.declared)).toEqual(['a', 'b', 'a', 'b']);
    expect(map.templates.map(({ text }) => text)).toEqual(['{a}/{b}']);
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
  ['{a}', "write 'a'"],
  ['{a}{b}', 'needs a / between'],
  ['{a}-{b}', 'needs a / between'],
  ['{a}/{b}-{c}', 'needs a / between'],
  ['{a}/{a}', 'has {a} twice'],
  ['{a}/{b', 'must be written like {room_id}/{day}'],
  ['a}/{b}', 'must be written like'],
  ['{a}/{{b}}', 'must be written like'],
  ['{a}/{}', 'must not be empty'],
  ['{a}/{type}', 'the event’s type'],
  ['{a}/{__proto__}', '__proto__'],
  ['{a}/{b.c}', 'not a path'],
  ['{a}/{b[]}', 'not a path'],
  ['{a}/{reason}', 'which every failure has itself'],
  ['{a}/\0{b}', 'NUL'],
  [`{a}/${'x'.repeat(512)}`, 'at most 512 bytes'],
  [{ BOUGHT: '{a}/{b}', PAID: '{a}//{b}' }, 'the same fields would make two ids'],
  [['{a}/{b}', '{b}/{a}'], 'the same fields would make two ids'],
])('the key %j is refused where it is defined', (key, said) => {
  expect(() => defineKey('c', key, types)).toThrow(InvalidDefinition);
  expect(() => defineKey('c', key, types)).toThrow(said);
});
