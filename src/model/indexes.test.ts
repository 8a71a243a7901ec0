import { expect, test } from 'vitest';
import { InvalidDefinition } from '../errors.ts';
import { collectionDefinition } from './collection.ts';
import { domain } from './domain.ts';
import { type } from './schema.ts';

const define = (indexes: unknown) => {
  const shop = domain({ events: { ADDED: type<{ item_id: string }>() } });
  const options = { key: 'item_id', initial: {}, reduce: { ADDED: (state: object) => state }, indexes };
  return collectionDefinition(shop.collection('items', options as never));
};

test('each index is its list of paths, in one order whatever order they were written in', () => {
  const one = define(['price', ['seller_id', 'price'], 'address.city']);
  expect(one.indexes).toEqual([['address.city'], ['price'], ['seller_id', 'price']]);
  const other = define([['seller_id', 'price'], ['address.city'], 'price']);
  expect(JSON.stringify(other.indexes)).toBe(JSON.stringify(one.indexes));
  // The order of an index's fields is what it is for.
  expect(define([['price', 'seller_id']]).indexes).not.toEqual(define([['seller_id', 'price']]).indexes);
  expect([define(undefined).indexes, define([]).indexes]).toEqual([[], []]);
});

test('as many as there may be', () => {
  const most = Array.from({ length: 16 }, (_, n) => Array.from({ length: 6 }, (_, m) => `f${n}.${m}`));
  expect(define(most).indexes).toHaveLength(16);
  expect(() => define([...most, 'more'])).toThrow('at most 16');
  expect(() => define([[...most[0]!, 'more']])).toThrow('at most 6');
});

test('what the caller changes later changes nothing', () => {
  const index = ['price'];
  const indexes = [index];
  const found = define(indexes);
  index.push('more');
  indexes.push(['more']);
  expect(found.indexes).toEqual([['price']]);
});

test.each<[unknown, string]>([
  ['price', 'must be an array'],
  [{ price: true }, 'must be an array'],
  [[''], 'must not be empty'],
  [[[]], 'an index without fields'],
  [[7], 'must be a string, not number'],
  [[['price', null]], 'must be a string, not null'],
  // eslint-disable-next-line no-sparse-arrays -- a hole
  [[, 'price'], 'must be a string, not undefined'],
  [[['price', ['cents']]], 'must be a string, not object'],
  [['address..city'], 'has an empty part'],
  [['.city'], 'has an empty part'],
  [['city.'], 'has an empty part'],
  [['$id'], 'begins with $'],
  [['address.$city'], 'begins with $'],
  [['__proto__'], 'must not be __proto__'],
  [['address.__proto__'], 'must not be __proto__'],
  [['a\0'], 'NUL'],
  [['x'.repeat(201)], 'at most 200 bytes'],
  [[['price', 'seller_id', 'price']], 'names the field "price" twice in one index'],
  [['price', ['price']], 'has the index ["price"] twice'],
])('%j is refused', (indexes, said) => {
  expect(() => define(indexes)).toThrow(InvalidDefinition);
  expect(() => define(indexes)).toThrow(said);
  expect(() => define(indexes)).toThrow('Collection "items": the option indexes');
});
