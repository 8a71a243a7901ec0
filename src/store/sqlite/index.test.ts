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

  it('refuses a URL, and doesn’t repeat what may be a password in it', () => {
    for (const url of [
      'postgres://ann:hunter2@localhost/db',
      'MYSQL://ann:hunter2@localhost',
      'file://ann:hunter2@x',
    ]) {
      const refused = expect.objectContaining({
        code: 'InvalidDefinition',
        message: expect.not.stringMatching('hunter2'),
      });
      expect(() => sqlite(url)).toThrow(refused);
    }
  });

  it.each([
    { synchronous: 'extra' },
    { synchronous: 'FULL' },
    { lockTimeoutMs: -1 },
    { lockTimeoutMs: Number.NaN },
    { lockTimeoutMs: '5' },
    { clockAheadMs: -1 },
    { clock: 5 },
    { clockMayJump: 'always' },
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
      clockMayJump: true,
    } as const;
    expect(sqlite('market.db', options).name).toBe('sqlite');
  });
});
