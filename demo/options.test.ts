/** Every option that is refused, in one sentence that names it. */
import { describe, expect, it } from 'vitest';
import { Misused } from '../scripts/options.ts';
import { readOptions } from './options.ts';

const read = (...args: string[]) => readOptions(args, () => 42);

describe('the options', () => {
  it('have defaults', () => {
    expect(read()).toEqual({
      rounds: 1000,
      buyers: 8,
      places: 1,
      servers: 2,
      store: { kind: 'temporary' },
      seed: 42,
      json: false,
      svg: undefined,
    });
    expect(read('--store', 'memory:').servers).toBe(1);
    expect(read('--store', 'postgres:')).toMatchObject({ store: { kind: 'own postgres' }, servers: 2 });
    const url = 'postgresql://role:secret@db.example:5433/shop?sslmode=require';
    expect(read('--store', url).store).toEqual({ kind: 'postgres', url });
  });

  it.each<[string[], RegExp]>([
    [['--rounds', 'x'], /^--rounds must be a whole number from 1 to 1000000, not "x"\.$/],
    [['--rounds', '1.5'], /--rounds/],
    [['--rounds', '1000001'], /--rounds/],
    [['--rounds'], /--rounds/],
    [['--rounds='], /--rounds/],
    [['--servers', '0'], /--servers must be a whole number from 1 to 8/],
    [['--servers', '9'], /--servers/],
    [['--buyers=-1'], /--buyers/],
    [['--buyers', '-1'], /--buyers/],
    [['--places', '1e3'], /--places/],
    [['--seed', 'abc'], /--seed/],
    [['--seed', '4294967296'], /--seed/],
    [['--json=yes'], /--json/],
    [['surplus'], /surplus/],
    [
      ['--store', 'redis:there'],
      /--store must be sqlite:FILE, postgres:\/\/…, postgres: or memory:, not "redis:there"/,
    ],
    [['--store', 'postgres://role:secret word@:x:/'], /--store: The connection string isn't valid/],
    // What may hold a password isn't repeated.
    [['--store', 'postgre://role:secret@x/y'], /not what was given\.$/],
    [['postgres://role:secret@x/y'], /^Unexpected argument: what was given\. See --help\.$/],
    [['--store', 'sqlite:'], /--store/],
    [['--store', 'sqlite::memory:'], /--store sqlite:FILE needs the path of a file, not ":memory:"/],
    [['--store', 'sqlite:file:x.db'], /--store sqlite:FILE needs the path of a file, not "file:x.db"/],
  ])('%j are refused', (args, message) => {
    expect(() => read(...args)).toThrow(Misused);
    expect(() => read(...args)).toThrow(message);
    expect(() => read(...args)).not.toThrow(/\n/);
  });
});
