import { expect, test } from 'vitest';
import * as v from 'valibot';
import * as z from 'zod';
import { InvalidDefinition } from '../errors.ts';
import { domain } from './domain.ts';
import { event } from './event.ts';
import { type } from './schema.ts';
import { fieldsOfSchema } from './shape.ts';

const names = (schema: Parameters<typeof fieldsOfSchema>[0]) => {
  const found = fieldsOfSchema(schema);
  return found && [...found].sort();
};

test('the fields of a schema that tells them', () => {
  expect(names(z.object({ a: z.string(), b: z.int().optional(), c: z.string().default('c') }))).toEqual([
    'a',
    'b',
    'c',
  ]);
  expect(names(z.strictObject({}))).toEqual([]);
  const either = z.discriminatedUnion('to', [
    z.object({ to: z.literal('a'), x: z.string() }),
    z.object({ to: z.literal('b'), y: z.object({ z: z.string() }) }),
  ]);
  expect(names(either)).toEqual(['to', 'x', 'y']);
  expect(names(event(z.object({ a: z.string() }), { formerly: ['OLD'] }))).toEqual(['a']);
});

test('nothing is known of the others', () => {
  for (const schema of [
    z.looseObject({ a: z.string() }),
    z.object({ a: z.string() }).catchall(z.string()),
    z.record(z.string(), z.json()),
    z.object({ a: z.string() }).transform((one) => ({ ...one, b: 1 })),
    z.union([z.object({ a: z.string() }), z.looseObject({})]),
    z.any(),
    v.object({ a: v.string() }),
    type<{ a: string }>(),
  ]) {
    expect(names(schema)).toBeUndefined();
  }
});

const hotel = () =>
  domain({
    events: {
      BOOKED: z.object({ room_id: z.string(), day: z.string(), guest: z.string() }),
      RATED: z.object({ room_id: z.string(), stars: z.int() }),
    },
  });
const blank = { initial: {}, reduce: {} };

test.each<[unknown, object, string]>([
  ['{room}/{day}', {}, 'has the template "{room}/{day}", but no event of the domain has all its fields'],
  ['{stars}/{day}', {}, 'but no event of the domain has all its fields'],
  [['guest', '{room}/{day}'], {}, 'but no event of the domain has all its fields'],
  [{ RATED: '{room_id}/{day}' }, {}, 'for RATED has the template {room_id}/{day}, but RATED has no field day'],
  ['{room_id}/{day}', { RATED: () => ({}) }, 'reduce has RATED, but the key has nothing for it'],
  [['guest', 'day'], { RATED: () => ({}) }, 'reduce has RATED, but the key has nothing for it'],
])('code without types: the key %j over %j is refused where the schemas show it', (key, reduce, said) => {
  const define = (): unknown => hotel().collection('days', { ...blank, key: key as never, reduce: reduce as never });
  expect(define).toThrow(InvalidDefinition);
  expect(define).toThrow(said);
});

test('control: what fits is taken, and what no schema shows', () => {
  hotel().collection('days', { ...blank, key: '{room_id}/{day}', reduce: { BOOKED: () => ({}) } });
  const loose = domain({ events: { ANY: type<{ room_id: string }>() } });
  loose.collection('days', { ...blank, key: '{room}/{day}' as never });
});
