/** What `postgres()` and `grants()` refuse at once, before anything is connected to. */
import { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { grants, postgres } from './index.ts';
import type { PostgresOptions } from './index.ts';

const invalid = expect.objectContaining({ code: 'InvalidDefinition' });

describe('postgres()', () => {
  it.each(['', 'localhost', 'mysql://localhost/db', 'postgres:/localhost', 'postgres://[/db', 7, null, {}])(
    'refuses %j in place of a URL or a pool',
    (url) => {
      expect(() => postgres(url as string)).toThrow(invalid);
    },
  );

  it('never repeats a password', () => {
    for (const url of ['mysql://ann:hunter2@localhost/db', 'postgres://ann:hunter2@[/db', 'ann:hunter2@localhost']) {
      expect(() => postgres(url)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }));
    }
  });

  it.each([
    { schema: '' },
    { schema: 'Upper' },
    { schema: 'a-b' },
    { schema: 'a"b' },
    { schema: 'pg_log' },
    { schema: 'information_schema' },
    { schema: 'x'.repeat(64) },
    { connections: 1 },
    { connections: 2.5 },
    { synchronousCommit: 'ON' },
    { synchronousCommit: true },
    { lockTimeoutMs: 0 },
    { lockTimeoutMs: 0.5 },
    { connectTimeoutMs: -1 },
    { answerTimeoutMs: Number.NaN },
    { clockAheadMs: -1 },
    { clock: 5 },
    { lockTimeout: 5 },
    { connection: { binary: true } },
  ])('refuses the options %j', (options) => {
    expect(() => postgres('postgres://localhost/db', options as PostgresOptions)).toThrow(invalid);
  });

  it('takes every option, and names itself', () => {
    const options: PostgresOptions = {
      schema: 'log_1',
      connection: { ssl: { rejectUnauthorized: true } },
      connections: 2,
      synchronousCommit: 'remote_apply',
      connectTimeoutMs: 1,
      lockTimeoutMs: 1,
      answerTimeoutMs: 1,
      clock: () => 0,
      clockAheadMs: 0,
    };
    expect(postgres('postgresql://ann:secret@localhost:5432/db', options).name).toBe('postgres');
    for (const url of ['postgres:///db', 'postgres://ann@/db?host=/run/postgresql', 'postgres://localhost'])
      expect(postgres(url).name).toBe('postgres');
  });

  it('takes a pool of pg’s as it is declared, but not one with room for a single connection', async () => {
    const pool = new Pool({ max: 2 });
    const single = new Pool({ max: 1 });
    expect(postgres(pool).name).toBe('postgres');
    expect(() => postgres(single)).toThrow(invalid);
    expect(() => postgres(pool, { connections: 5 })).toThrow(invalid);
    const binary = new Pool(Object.assign({ max: 2 }, { binary: true }));
    expect(() => postgres(binary)).toThrow(invalid);
    await Promise.all([pool.end(), single.end(), binary.end()]);
  });
});

describe('grants()', () => {
  it('quotes names, and refuses what isn’t a name', () => {
    expect(grants('log', 'a"; DROP ROLE b; --')).toContain('TO "a""; DROP ROLE b; --";');
    expect(() => grants('a"b', 'ann')).toThrow(invalid);
    expect(() => grants('log', '')).toThrow(invalid);
  });
});
