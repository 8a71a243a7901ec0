/**
 * What an application is told that can't have its log: by name, with what to do about it, and without a password in
 * anything that is said. More of it is beside the store (`open.test.ts`), where nothing but the store is needed.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { open, TidemarkError } from 'tidemark';
import { grants, postgres, type PostgresOptions } from 'tidemark/postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { start, type Server } from '../../support/postgres-server.ts';
import { testDatabase } from '../../support/postgres.ts';
import { Proxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { order, orderOf } from '../orders.ts';
import { randomOf } from '../../support/seed.ts';
import { parts } from './load.ts';

const PASSWORD = 'hunter2 @:/%';
const SAYS = /hunter2/;
const WAIT_MS = 200;

const database = testDatabase();
let names = 0;
let schema = '';
beforeEach(() => void (schema = `refused_${(names += 1)}`));

const name = (): string => new URL(database.url).pathname.slice(1);

/** The URL with something changed, and with a password that nobody may read. */
function urlWith(change: Partial<Record<'hostname' | 'port' | 'username' | 'pathname', string>>, base = database.url) {
  const url = Object.assign(new URL(base), change);
  url.password = PASSWORD;
  return url.href;
}

const opening = (url: string, options: PostgresOptions = {}) =>
  open({ store: postgres(url, { schema, connectTimeoutMs: WAIT_MS, ...options }), ...parts });

/** What it is told: all of it, as it would come into a log. */
async function told(asking: Promise<AsyncDisposable>): Promise<{ code: string; message: string }> {
  const error: unknown = await asking.then(
    async (app) => {
      await app[Symbol.asyncDispose]();
      return new Error('It was not refused.');
    },
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(TidemarkError);
  const { code, message } = error as TidemarkError;
  const said = [inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error), (error as Error).stack];
  for (const text of said) expect(text).not.toMatch(SAYS);
  return { code, message };
}

/** A role of the cluster's, made by `sql`; removed in the end. */
async function withRole(sql: string, use: (url: string, role: string) => Promise<void>): Promise<void> {
  const role = `${name()}_role_${(names += 1)}`;
  await database.run(`CREATE ROLE ${role} LOGIN; ${sql.replaceAll('$role', role)}`);
  try {
    await use(urlWith({ username: role }), role);
  } finally {
    await database.run(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  }
}

describe('a wrong URL', () => {
  test('control: with the right one, password and all, it opens', async () => {
    await (await opening(urlWith({}))).close();
    // And a text that says it is found.
    expect(inspect(new Error('no', { cause: { url: urlWith({}) } }))).toMatch(SAYS);
  });

  test('nobody at the port, or no such host', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = String((server.address() as AddressInfo).port);
    server.close();
    await once(server, 'close');
    for (const url of [urlWith({ port }), urlWith({ hostname: 'database.invalid' })]) {
      const { code, message } = await told(opening(url));
      expect(code).toBe('StoreUnavailable');
      expect(message).toMatch(/Check that the server runs/);
    }
  });

  test('somebody else at the port, or somebody who says nothing', async () => {
    for (const answer of ['HTTP/1.1 400 Bad Request\r\n\r\n', undefined]) {
      const sockets: Socket[] = [];
      const server = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => undefined);
        socket.on('data', () => answer !== undefined && socket.end(answer));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { code, message } = await told(
        opening(urlWith({ hostname: '127.0.0.1', port: String((server.address() as AddressInfo).port) })),
      );
      for (const socket of sockets) socket.destroy();
      server.close();
      expect(code).toBe('StoreUnavailable');
      expect(message).toMatch(/Check that the server runs/);
    }
  });

  test('settings that PostgreSQL doesn’t have: nothing is said about the log', async () => {
    for (const options of ['-c no_such_setting=1', '-c default_transaction_isolation=none']) {
      const { code, message } = await told(opening(`${urlWith({})}?options=${encodeURIComponent(options)}`));
      expect(code).toBe('NotWritable');
      expect(message).toMatch(/Correct the options in the connection string/);
    }
  });

  test('a database that doesn’t exist', async () => {
    const { code, message } = await told(opening(urlWith({ pathname: '/no_such_database' })));
    expect(code).toBe('NotWritable');
    expect(message).toMatch(/doesn't exist. Create it first/);
  });
});

describe('a role that isn’t let in', () => {
  let server: Server;
  beforeAll(async () => void (server = await start('another password')));
  afterAll(() => server.end());

  test('by a wrong password, wherever it stands', async () => {
    const bare = new URL(server.url);
    for (const options of [{}, { connection: { password: PASSWORD } }]) {
      const url = 'connection' in options ? bare.href : urlWith({}, server.url);
      const { code, message } = await told(opening(url, options));
      expect(code).toBe('NotWritable');
      expect(message).toMatch(/Correct them, or pg_hba.conf/);
    }
  });

  test('by what it may do', async () => {
    const noLogin = 'ALTER ROLE $role NOLOGIN';
    await withRole(noLogin, async (url) => {
      const { code, message } = await told(opening(url));
      expect([code, message]).toEqual(['NotWritable', expect.stringMatching(/Correct them, or pg_hba.conf/)]);
    });
    await withRole(`REVOKE CONNECT ON DATABASE ${name()} FROM PUBLIC`, async (url) => {
      const { code, message } = await told(opening(url));
      expect([code, message]).toEqual(['NotWritable', expect.stringMatching(/grants\(\)/)]);
    });
    await database.run(`GRANT CONNECT ON DATABASE ${name()} TO PUBLIC`);
    await withRole('ALTER ROLE $role CONNECTION LIMIT 0', async (url) => {
      const { code, message } = await told(opening(url));
      expect([code, message]).toEqual(['StoreUnavailable', expect.stringMatching(/too many connections/)]);
    });
  });
});

describe('a role that lacks a privilege', () => {
  test('on the log: it is told of grants(), and what they give is enough', async () => {
    await (await opening(database.url)).close();
    await withRole('', async (url, role) => {
      expect(await told(opening(url))).toEqual({ code: 'NotWritable', message: expect.stringMatching(/grants\(\)/) });
      await database.run(grants(schema, role));
      const app = await opening(url);
      await app.execute(order, orderOf('o1', randomOf(1)), { id: 'o1' });

      // Taken away while it runs, and given back: the same application goes on.
      await database.run(`REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema} FROM ${role}`);
      const refused: unknown = await app
        .execute(order, orderOf('o2', randomOf(2)), { id: 'o2' })
        .catch((error) => error);
      expect(refused).toHaveProperty('code', 'NotWritable');
      expect(refused).toHaveProperty('message', expect.stringMatching(/grants\(\)/));
      expect(refused).not.toHaveProperty('details.unknown');
      // The reduction says so too, and goes on by itself.
      await until(async () => (await app.status().catch(() => undefined))?.reduction.errors.length !== 0);
      await database.run(grants(schema, role));
      await app.execute(order, orderOf('o2', randomOf(2)), { id: 'o2' });
      await until(async () => (await app.status()).reduction.lagEvents === 0);
      expect((await app.status()).reduction).toMatchObject({ state: 'background', errors: [] });
      expect((await app.verify()).problems).toEqual([]);
      await app.close();
    });
  });

  test('a database that takes no writes, and is given them', async () => {
    await database.run(`ALTER DATABASE ${name()} SET default_transaction_read_only = on`);
    try {
      expect(await told(opening(urlWith({})))).toEqual({
        code: 'NotWritable',
        message: expect.stringMatching(/only read .* \(default_transaction_read_only\)\. Set it off/),
      });
    } finally {
      await database.run(`BEGIN READ WRITE; ALTER DATABASE ${name()} RESET default_transaction_read_only; COMMIT`);
    }
    await (await opening(urlWith({}))).close();
  });
});

test.each([
  'CREATE VIEW $.v AS SELECT 1',
  'CREATE SEQUENCE $.s',
  'CREATE DOMAIN $.d AS text',
  'CREATE AGGREGATE $.a (int) (SFUNC = int4pl, STYPE = int)',
  'CREATE TABLE $.commits (position bigint PRIMARY KEY)',
  'CREATE TABLE $.migrations (format int, breaking boolean)',
])('a schema that belongs to something else, and is left as it was: %s', async (thing) => {
  await database.run(`CREATE SCHEMA ${schema}; ${thing.replace('$', schema)}`);
  const objects = `SELECT oid::text FROM pg_class WHERE relnamespace = '${schema}'::regnamespace
    UNION ALL SELECT oid::text FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace ORDER BY 1`;
  const before = await database.run(objects);
  const { code, message } = await told(opening(urlWith({})));
  expect(code).toBe('NotALog');
  expect(message).toMatch(/It was left as it is: choose another schema/);
  expect(await database.run(objects)).toEqual(before);
});

test('a PostgreSQL that is too old, by what it says of its version', async () => {
  const [{ version } = { version: '' }] = await database.run<{ version: string }>(
    "SELECT current_setting('server_version_num') AS version",
  );
  const proxy = await Proxy.to(Number(new URL(database.url).port));
  // In place of a real one, which a machine seldom has: all else that is said is what a newer one says.
  proxy.rewrite = (bytes) => {
    const at = bytes.indexOf(version);
    if (at < 0) return bytes;
    const other = Buffer.from(bytes);
    other.write('140011', at);
    return other;
  };
  try {
    const url = urlWith({ hostname: '127.0.0.1', port: String(proxy.port) });
    expect(await told(opening(url))).toEqual({
      code: 'NotALog',
      message: expect.stringMatching(/PostgreSQL 14 .* is too old .* Upgrade it to version 15/),
    });
  } finally {
    await proxy.close();
  }
});

test('law 5: a database, a role or a URL that says REPEATABLE READ does no harm', async () => {
  const asked = `?options=${encodeURIComponent('-c default_transaction_isolation=repeatable\\ read')}`;
  await withRole(
    `ALTER ROLE $role SET default_transaction_isolation = 'repeatable read'; GRANT CREATE ON DATABASE ${name()} TO $role`,
    async (byRole) => {
      const random = randomOf(3);
      const apps = await Promise.all([byRole, byRole].map((url) => opening(url)));
      await Promise.all(apps.map((app) => app.close()));
      const racers = await Promise.all([byRole, `${database.url}${asked}`].map((url) => opening(url)));
      for (let round = 0; round < 20; round += 1) {
        const input = { ...orderOf('', random), customer_id: 'c1', skus: ['a'] };
        await Promise.all(
          racers.map((app, n) =>
            app.execute(order, { ...input, order_id: `o${round}-${n}` }, { id: `o${round}-${n}` }),
          ),
        );
      }
      const nth: unknown[] = [];
      for await (const { event } of racers[0]!.events({ types: ['ORDERED'] }))
        nth.push((event as { nth?: number }).nth);
      // Each was decided on what the one before it had left.
      expect(nth).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
      expect((await racers[0]!.status()).counters.conflicts).toBeGreaterThan(0);
      await Promise.all(racers.map((app) => app.close()));
    },
  );
});
