/** Connection strings: one host or several, and what is refused. */
import { describe, expect, it } from 'vitest';
import { addressOf } from './url.ts';

const invalid = expect.objectContaining({ code: 'InvalidDefinition' });

describe('addressOf()', () => {
  it.each([
    ['postgres://localhost/db', ['postgres://localhost/db'], 'localhost/db'],
    ['postgresql://ann:pw@h1:5433/db', ['postgresql://ann:pw@h1:5433/db'], 'h1:5433/db'],
    ['postgres:///db', ['postgres:///db'], 'localhost/db'],
    ['postgres://ann@/db?host=/run/pg', ['postgres://ann@/db?host=/run/pg'], '/run/pg/db'],
    ['postgres://h1', ['postgres://h1'], 'h1'],
    [
      'postgres://ann:p,w%40x@h1:1,h2,[::1]:3/db?target_session_attrs=read-write&sslmode=disable',
      ['h1:1', 'h2', '[::1]:3'].map(
        (host) => `postgres://ann:p,w%40x@${host}/db?target_session_attrs=read-write&sslmode=disable`,
      ),
      'h1:1,h2,[::1]:3/db',
    ],
    ['postgres://a b:%3A%@h1/d%20b', ['postgres://a%20b:%3A%25@h1/d%20b'], 'h1/d%20b'],
    ['postgres://a,b', ['postgres://a', 'postgres://b'], 'a,b'],
  ])('%s', (given, urls, where) => {
    const address = addressOf(given);
    expect(address.hosts.map(({ url }) => url)).toEqual(urls);
    expect(address.where).toBe(where);
  });

  it.each([
    'postgres://a,/db',
    'postgres://,/db',
    'postgres://a,b:port/db',
    'postgres://ann:hunter2@a:1,b:x/db',
    'postgres://a,b/db?target_session_attrs=any',
    'postgres://a/db?target_session_attrs=prefer-standby',
    'postgres:///db?host=a,b',
    'postgres://ann:hunter2/x@a/db',
    'postgres://ann:12/hunter2@a/db',
    'postgres://ann:12?hunter2@a/db',
    'postgres://ann:#hunter2@a,b/db',
    'postgres://ann:p@s/hunter2@a/db',
    'postgres://ann:hunter2%ff@a/db',
    'postgres://ann@a/db?password=x&host=hunter2',
  ])('refuses %s, without a password in the message', (given) => {
    expect(() => addressOf(given)).toThrow(invalid);
    expect(() => addressOf(given)).not.toThrow('hunter2');
  });

  it('says what to write in place of a character that ends a password', () => {
    expect(() => addressOf('postgres://ann:hunter/2@a/db')).toThrow(/write %2F for \//);
  });
});
