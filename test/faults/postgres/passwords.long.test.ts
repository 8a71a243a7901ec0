/**
 * Whatever a connection string looks like, nothing of the password in it is said: not in a message, not in details, not in
 * a cause or a stack. Whoever writes a password into a URL seldom knows which of its characters must be escaped.
 */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { InvalidInput, TidemarkError } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOptions } from '../../../demo/options.ts';
import { Misused } from '../../../scripts/options.ts';
import { drawn } from '../../fuzz/seed.ts';
import { start, type Server } from '../../support/postgres-server.ts';

/** Letters that stand together in no word of ours, and what means something in a URL. */
const LETTERS = ['q', 'x', 'z', 'j', '7'];
const SPECIAL = ['/', '?', '#', '@', ':', '%', '&', '=', ',', '[', ']', '\\', ' ', '+', '%40', '%2f', 'ü'];
const PART = 4;

const word = fc
  .array(fc.constantFrom(...LETTERS), { minLength: PART, maxLength: 8 })
  .map((letters) => letters.join(''));
/** Words, and what stands between them. */
const password = fc
  .array(fc.tuple(word, fc.constantFrom(...SPECIAL)), { minLength: 1, maxLength: 4 })
  .chain((parts) => fc.tuple(fc.constant(parts), fc.boolean(), fc.boolean()))
  .map(([parts, begins, ends]) => {
    const text = parts.map((part) => part.join('')).join('');
    const whole = begins ? `${parts[0]![1]}${text}` : text;
    return ends ? whole : whole.slice(0, -parts.at(-1)![1].length);
  });
const role = fc.constantFrom('postgres', 'ann', '');
const rest = fc.constantFrom('', '/', '/shop', '/shop?sslmode=disable', '/shop?application_name=x', '?x=y', '#f');

const within = (hosts: string) => ({
  asIs: (role: string, password: string, rest: string) => `postgres://${role}:${password}@${hosts}${rest}`,
  escaped: (role: string, password: string, rest: string) =>
    `postgres://${role}:${encodeURIComponent(password)}@${hosts}${rest}`,
  parameter: (role: string, password: string, rest: string) =>
    `postgres://${role}@${hosts}${rest.includes('?') ? rest : '/shop?a=b'}&password=${password}`,
  scheme: (role: string, password: string, rest: string) => `postgre://${role}:${password}@${hosts}${rest}`,
  nothing: (role: string, password: string) => `${role}:${password}@${hosts}`,
});
const shape = fc.constantFrom(...(Object.keys(within('')) as (keyof ReturnType<typeof within>)[]));

/** Of each word of a password every part that is long enough to be known by. */
function secretsOf(password: string): Set<string> {
  const secrets = new Set<string>();
  for (const [letters] of password.matchAll(/[qxzj7]+/g)) {
    for (let at = 0; at + PART <= letters.length; at += 1) secrets.add(letters.slice(at, at + PART));
  }
  return secrets;
}

function assertKept(error: unknown, password: string): void {
  expect(error instanceof TidemarkError || error instanceof Misused).toBe(true);
  const said = [inspect(error, { depth: 12, showHidden: true }), JSON.stringify(error), (error as Error).stack ?? ''];
  for (const secret of secretsOf(password)) for (const text of said) expect(text).not.toContain(secret);
}

/** What opening says, or asking for a place that can't be one. */
async function refusal(url: string): Promise<unknown> {
  try {
    const session = await postgres(url, { connectTimeoutMs: 30 }).open();
    await session.close();
    return undefined;
  } catch (error) {
    return error;
  }
}

function refused(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('control: what holds a part of a password is found', () => {
  for (const leaking of [
    new InvalidInput('at xqz7j'),
    new InvalidInput('no', { place: 'xqz7j' }),
    new InvalidInput('no', {}, new Error('no', { cause: { input: 'xqz7j' } })),
  ]) {
    expect(() => assertKept(leaking, 'a/qz7j')).toThrow(/not to contain/);
  }
  expect(() => assertKept(new InvalidInput('no'), 'a/qz7j')).not.toThrow();
});

test('where nobody answers', async () => {
  const urls = within('127.0.0.1:1,127.0.0.1:2');
  await fc.assert(
    fc.asyncProperty(shape, role, password, rest, async (shape, role, password, rest) => {
      const error = await refusal(urls[shape](role, password, rest));
      expect(error).toBeDefined();
      assertKept(error, password);
    }),
    drawn(300),
  );
});

describe('where the password is wrong', () => {
  let server: Server;
  const right = 'a b:%3A/%';
  beforeAll(async () => void (server = await start(right)));
  afterAll(() => server.end());

  test('control: with the right one it opens, as URL and as encodeURIComponent write it', async () => {
    const url = new URL(server.url);
    url.password = right.replace('%3A', '%253A');
    expect(url.href).toMatch(/%@/);
    for (const written of [url.href, server.url.replace('@', `:${encodeURIComponent(right)}@`)]) {
      const session = await postgres(written).open();
      await session.close();
    }
  });

  test('it is refused', async () => {
    const urls = within(`127.0.0.1:${server.port}`);
    await fc.assert(
      fc.asyncProperty(shape, role, password, rest, async (shape, role, password, rest) => {
        const error = await refusal(urls[shape](role, password, rest));
        expect(error).toBeDefined();
        assertKept(error, password);
      }),
      drawn(60),
    );
  });
});

test('where it isn’t a database that is asked for', () => {
  const urls = within('127.0.0.1:1');
  fc.assert(
    fc.property(shape, role, password, rest, (shape, role, password, rest) => {
      const url = urls[shape](role, password, rest);
      // A name of a file may look like `role:password@host`; a URL is none.
      if (url.includes('://'))
        assertKept(
          refused(() => sqlite(url)),
          password,
        );
      const program = [['--store', url], [url], ['--rounds', url], [`--stroe=${url}`], ['--store', `sqlite:${url}`]];
      for (const args of program) {
        const error = refused(() => readOptions(args, () => 1));
        if (error !== undefined) assertKept(error, password);
      }
    }),
    drawn(300),
  );
});
