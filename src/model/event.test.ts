import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { DomainOutdated, InvalidDefinition, UpcastFailed } from '../errors.ts';
import { defineEvents, event, readEvent } from './event.ts';
import { type } from './schema.ts';

const schema = type<{ sku: string; cents: number; currency: string }>();
const versioned = event(schema, {
  version: 3,
  upcast: {
    1: ({ sku, price }) => ({ sku, cents: price * 100 }),
    2: (old) => ({ ...old, currency: 'EUR' }),
  },
});
const definition = defineEvents({ PRICE_CHANGED: versioned }).get('PRICE_CHANGED');
const stored = (schemaVersion: number, json: string): { type: string; schemaVersion: number; json: string } => ({
  type: 'PRICE_CHANGED',
  schemaVersion,
  json,
});

const failing = (upcast: (old: object) => object): unknown => {
  const one = defineEvents({ A: event(schema, { version: 2, upcast: { 1: upcast } }) }).get('A');
  return readEvent(one, { type: 'A', schemaVersion: 1, json: '{}' });
};

describe('an event whose shape has changed', () => {
  test('is read in its newest shape, whatever it was stored in, frozen', () => {
    const newest = { type: 'PRICE_CHANGED', sku: 'a', cents: 500, currency: 'EUR' };
    expect(readEvent(definition, stored(1, '{"sku":"a","price":5}'))).toEqual(newest);
    expect(readEvent(definition, stored(2, '{"sku":"a","cents":500}'))).toEqual(newest);
    expect(readEvent(definition, stored(3, '{"sku":"a","cents":500,"currency":"EUR"}'))).toEqual(newest);
    expect(Object.isFrozen(readEvent(definition, stored(3, '{}')))).toBe(true);
  });

  test('stored by newer code than this is refused by name', () => {
    expect(() => readEvent(definition, stored(4, '{}'))).toThrow(DomainOutdated);
  });

  test('whose upcast fails is named', () => {
    expect(() =>
      failing(() => {
        throw new Error('boom');
      }),
    ).toThrow(UpcastFailed);
    expect(() => failing(() => null as never)).toThrow(UpcastFailed);
    expect(() => failing(() => ({ at: new Date(0) }))).toThrow(UpcastFailed);
    expect(() => failing(() => new Map())).toThrow(UpcastFailed);
    expect(() => failing(() => ({ type: 'ANOTHER' }))).toThrow('an event keeps its type');
    expect(() => failing(async () => Promise.reject(new Error('unhandled?')))).toThrow('returned a promise');
  });

  test('needs every step', () => {
    expect(() => event(schema, { version: 3, upcast: { 1: (old: object) => old } })).toThrow(
      'needs an upcast from version 2',
    );
    expect(() => event(schema, { version: 0, upcast: {} })).toThrow(InvalidDefinition);
    expect(() => event(schema, { version: 1.5, upcast: {} })).toThrow(InvalidDefinition);
    expect(() => event({} as never, { version: 1, upcast: {} })).toThrow(InvalidDefinition);
  });
});

test('a type the domain does not know comes as it was stored', () => {
  expect(readEvent(undefined, { type: 'BUY_FAILED', schemaVersion: 1, json: '{"reason":"X"}' })).toEqual({
    type: 'BUY_FAILED',
    reason: 'X',
  });
});

test('names and schemas are checked where they are defined', () => {
  expect(() => defineEvents({ $MINE: schema })).toThrow('must not begin with $');
  expect(() => defineEvents({ '': schema })).toThrow('must not be empty');
  expect(() => defineEvents({ A: { id: 'string' } })).toThrow('needs a Standard Schema');
  expect(() => defineEvents(undefined)).toThrow(InvalidDefinition);
  expect(() => defineEvents(JSON.parse('{"__proto__":1}'))).toThrow(InvalidDefinition);
  expect(defineEvents({ A: z.object({}) }).get('A')?.version).toBe(1);
});
