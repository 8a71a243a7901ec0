import { expect, test } from 'vitest';
import { derivedId, idFault, nameFault, timedId } from './id.ts';

test('ids are non-empty well-formed strings of at most 512 bytes', () => {
  for (const id of ['s1', ' ', 'é', 'x'.repeat(512), '𝒳'.repeat(128), 'a\nb', '__proto__', '{}'])
    expect(idFault(id)).toBeUndefined();
  expect(idFault('')).toBe('must not be empty');
  expect(idFault(7)).toBe('must be a string, not number');
  expect(idFault(null)).toBe('must be a string, not null');
  expect(idFault('x'.repeat(513))).toContain('at most 512 bytes of UTF-8, not 513');
  expect(idFault('𝒳'.repeat(129))).toContain('not 516');
  const lone = 'must be well-formed text without NUL, but has a lone surrogate, which isn’t well-formed Unicode';
  expect(idFault('a\ud800')).toBe(lone);
  expect(idFault('a\0')).toContain('NUL');
});

test('names are shorter, and not __proto__', () => {
  expect(nameFault('SERVICE_BOUGHT')).toBeUndefined();
  expect(nameFault('x'.repeat(201))).toContain('at most 200 bytes');
  expect(nameFault('__proto__')).toContain('__proto__');
});

test('a derived id is a UUID, the same each time, and another for each n and command', () => {
  const id = derivedId('checkout-81', 1);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(derivedId('checkout-81', 1)).toBe(id);
  expect(
    new Set([id, derivedId('checkout-81', 2), derivedId('checkout-8', 11), derivedId('checkout-811', 1)]).size,
  ).toBe(4);
});

test('a timed id is a UUID of version 7 that sorts by time', () => {
  const random = new Uint8Array(16).fill(0xff);
  const early = timedId(1_700_000_000_000, random);
  expect(early).toBe('018bcfe5-6800-7fff-bfff-ffffffffffff');
  expect(early < timedId(1_700_000_000_001, new Uint8Array(16))).toBe(true);
});
