import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { DomainOutdated, InvalidDefinition, UpcastFailed } from '../errors.ts';
import { defineEvents, event, readEvent, type EventDefinition, type Upcast } from './event.ts';
import { type } from './schema.ts';

const schema = type<{ sku: string; cents: number; currency: string }>();
const versioned = event(schema, {
  version: 3,
  upcast: {
    1: ({ sku, price }) => ({ sku, cents: price * 100 }),
    2: (old) => ({ ...old, currency: 'EUR' }),
  },
});
const definition = defineEvents({ PRICE_CHANGED: versioned }).events.get('PRICE_CHANGED');
const stored = (schemaVersion: number, json: string): { type: string; schemaVersion: number; json: string } => ({
  type: 'PRICE_CHANGED',
  schemaVersion,
  json,
});

const read = (one: EventDefinition | undefined, event: ReturnType<typeof stored>): unknown =>
  readEvent(one, event, { time: 5, position: 7 });

const failing = (upcast: Upcast): unknown => {
  const one = defineEvents({ A: event(schema, { version: 2, upcast: { 1: upcast } }) }).events.get('A');
  return read(one, { type: 'A', schemaVersion: 1, json: '{}' });
};

describe('an event whose shape has changed', () => {
  test('is read in its newest shape, whatever it was stored in, frozen', () => {
    const newest = { type: 'PRICE_CHANGED', sku: 'a', cents: 500, currency: 'EUR' };
    expect(read(definition, stored(1, '{"sku":"a","price":5}'))).toEqual(newest);
    expect(read(definition, stored(2, '{"sku":"a","cents":500}'))).toEqual(newest);
    expect(read(definition, stored(3, '{"sku":"a","cents":500,"currency":"EUR"}'))).toEqual(newest);
    expect(Object.isFrozen(read(definition, stored(3, '{}')))).toBe(true);
  });

  test('stored by newer code than this is refused by name', () => {
    expect(() => read(definition, stored(4, '{}'))).toThrow(DomainOutdated);
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

  test('is checked by the newest schema, and what that gives is what is read', () => {
    const strict = z.object({ city: z.string(), zip: z.string().default('?') });
    const upcastTo = (gives: object): unknown => {
      const one = defineEvents({ MOVED: event(strict, { version: 2, upcast: { 1: () => gives } }) }).events.get(
        'MOVED',
      );
      return read(one, { type: 'MOVED', schemaVersion: 1, json: '{}' });
    };
    expect(upcastTo({ city: 'Paris', more: 1 })).toEqual({ type: 'MOVED', city: 'Paris', zip: '?' });
    expect(() => upcastTo({ citty: 'Paris' })).toThrow(
      expect.objectContaining({
        code: 'UpcastFailed',
        details: expect.objectContaining({ type: 'MOVED', from: 1, to: 2 }) as object,
        message: expect.stringContaining('city') as string,
      }),
    );
    const asynchronous = z.object({ a: z.string().refine(async () => true) });
    const one = defineEvents({ A: event(asynchronous, { version: 2, upcast: { 1: () => ({ a: 'a' }) } }) }).events.get(
      'A',
    );
    expect(() => read(one, { type: 'A', schemaVersion: 1, json: '{}' })).toThrow(UpcastFailed);
  });

  test('an upcast knows when and where it was stored, and may drop it', () => {
    const seen: unknown[] = [];
    const one = defineEvents({
      A: event(schema, {
        version: 3,
        upcast: {
          1: (old, meta) => {
            seen.push(meta);
            return old.gone ? undefined : old;
          },
          2: (old) => old,
        },
      }),
    }).events.get('A');
    expect(read(one, { type: 'A', schemaVersion: 1, json: '{"gone":true}' })).toEqual({
      type: '$DROPPED',
      dropped: 'A',
      fields: { gone: true },
    });
    expect(read(one, { type: 'A', schemaVersion: 1, json: '{"sku":"a"}' })).toEqual({ type: 'A', sku: 'a' });
    expect(seen).toEqual([
      { time: 5, position: 7 },
      { time: 5, position: 7 },
    ]);
  });

  test('is one of its version however the definition is copied', () => {
    expect(defineEvents({ A: { ...versioned } }).events.get('A')?.version).toBe(3);
    expect(() => defineEvents({ A: { ...versioned, version: 4 } })).toThrow('needs an upcast from version 3');
    expect(() => defineEvents({ A: { '~standard': schema['~standard'], version: 2, upcast: {} } })).toThrow(
      "event() didn't make it",
    );
  });

  test('takes nothing of the user’s: what is read is a copy', () => {
    const tags = ['x'];
    const one = defineEvents({
      A: event(type<{ tags: string[] }>(), { version: 2, upcast: { 1: () => ({ tags, gone: undefined, zero: -0 }) } }),
    }).events.get('A');
    expect(read(one, { type: 'A', schemaVersion: 1, json: '{}' })).toStrictEqual({ type: 'A', tags: ['x'], zero: 0 });
    tags.push('y');
  });

  test('needs every step', () => {
    for (const upcast of [
      { 1: (old: object) => old, 3: (old: object) => old },
      { 1: (old: object) => old, '1 ': 1 },
    ]) {
      expect(() => event(schema, { version: 2, upcast: upcast as never })).toThrow('has a step');
    }
    expect(() => event(schema, { version: 3, upcast: { 1: (old: object) => old } })).toThrow(
      'needs an upcast from version 2',
    );
    expect(() => event(schema, { version: 0, upcast: {} })).toThrow(InvalidDefinition);
    expect(() => event(schema, { version: 1.5, upcast: {} })).toThrow(InvalidDefinition);
    expect(() => event({} as never, { version: 1, upcast: {} })).toThrow(InvalidDefinition);
  });
});

test('a type the domain does not know comes as it was stored', () => {
  expect(read(undefined, { type: 'BUY_FAILED', schemaVersion: 1, json: '{"reason":"X"}' })).toEqual({
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
  expect(defineEvents({ A: z.object({}) }).events.get('A')?.version).toBe(1);
});

test('an event that no schema has looked at is none of the type that is declared since', () => {
  const kept = { type: 'A', schemaVersion: 0, json: '{"reason":"NO"}' };
  const asIs = { type: 'A', reason: 'NO' };
  expect(read(undefined, kept)).toEqual(asIs);
  const upcast = { 1: () => expect.unreachable() as never };
  for (const schema of [type<object>(), event(type<object>(), { version: 2, upcast })]) {
    const found = read(defineEvents({ A: schema }).events.get('A'), kept);
    expect(found).toEqual({ type: '$UNDECLARED', undeclared: 'A', fields: { reason: 'NO' } });
    expect(Object.isFrozen((found as { fields: object }).fields)).toBe(true);
  }
});
