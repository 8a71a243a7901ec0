/** What `sqlite()` refuses at once, before anything is opened. */
import { describe, expect, it } from 'vitest';
import { sqlite } from './index.ts';
import type { SqliteOptions } from './index.ts';

describe('sqlite()', () => {
  it.each(['', ':memory:', 'file:market.db', 'FILE:///tmp/market.db?mode=memory', 'a\0b', 7 as unknown as string])(
    'refuses the file name %j: a log that loses data must be asked for by name',
    (file) => {
      expect(() => sqlite(file)).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }));
    },
  );

  it.each([
    { synchronous: 'extra' },
    { synchronous: 'FULL' },
    { lockTimeoutMs: -1 },
    { lockTimeoutMs: Number.NaN },
    { lockTimeoutMs: '5' },
    { clockAheadMs: -1 },
    { clock: 5 },
    { readOnly: 1 },
    { readonly: true },
    { lockTimeout: 5 },
  ])('refuses the options %j', (options) => {
    expect(() => sqlite('market.db', options as unknown as SqliteOptions)).toThrow(
      expect.objectContaining({ code: 'InvalidDefinition' }),
    );
  });

  it('takes every option, and names itself', () => {
    const options = {
      synchronous: 'normal',
      lockTimeoutMs: 0,
      readOnly: true,
      clockAheadMs: 0,
      clock: () => 0,
    } as const;
    expect(sqlite('market.db', options).name).toBe('sqlite');
  });
});
