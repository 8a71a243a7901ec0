/** Opening: who makes the log, who may use it, and what is refused. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { start, type Server } from '../../../../test/support/postgres-server.ts';
import { testDatabase, waitsFor } from '../../../../test/support/postgres.ts';
import { until } from '../../../../test/support/until.ts';
import { COLLECTIONS, commit, event, user } from '../../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../../testing/conformance/log.ts';
import { addIndex, addKeying, register } from '../../../testing/conformance/registered.ts';
import { document, entry, TestSet } from '../../../testing/conformance/sets.ts';
import type { Session } from '../../store.ts';
import type { PostgresClient, PostgresPool } from './pool.ts';
import { grants, postgres } from '../index.ts';
import { FORMAT } from '../schema.ts';

const database = testDatabase();
let names = 0;
const fresh = (): string => `place_${(names += 1)}`;
const at = (schema: string): ReturnType<typeof postgres> => postgres(database.url, { schema });
const code = (name: string) => expect.objectContaining({ code: name });

/** An error that no try can mend, and that leaves no doubt. */
const forGood = (name: string) =>
  expect.objectContaining({
    code: name,
    retryable: false,
    details: expect.not.objectContaining({ unknown: true }),
  });

/** Opens and closes again. */
async function opened(store: { open(): Promise<Session> }): Promise<void> {
  await (await store.open()).close();
}

/** A role of the cluster's, with what `sql` gives it; removed in the end. */
async function withRole(sql: string, use: (url: string, role: string) => Promise<void>): Promise<void> {
  const role = `role_${new URL(database.url).pathname.slice(1)}_${(names += 1)}`;
  await database.run(`CREATE ROLE ${role} LOGIN; ${sql.replaceAll('$role', role)}`);
  try {
    const url = new URL(database.url);
    url.username = role;
    await use(url.href, role);
  } finally {
    await database.run(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  }
}

describe('a new log', () => {
  it('is made once by many servers that start at once', async () => {
    const schema = fresh();
    const sessions = await Promise.all(Array.from({ length: 12 }, () => at(schema).open()));
    expect(await database.run(`SELECT format, breaking FROM ${schema}.migrations`)).toEqual([
      { format: FORMAT, breaking: true },
    ]);
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('is made in a schema that is there and empty', async () => {
    const schema = fresh();
    await database.run(`CREATE SCHEMA ${schema}`);
    await opened(at(schema));
  });

  it('isn’t made among things of somebody else’s', async () => {
    for (const thing of [
      'CREATE TABLE $.customers (id int)',
      'CREATE TABLE $.migrations (id int, name text)',
      'CREATE FUNCTION $.answer() RETURNS int LANGUAGE sql AS $$ SELECT 42 $$',
      "CREATE TYPE $.color AS ENUM ('red')",
    ]) {
      const schema = fresh();
      await database.run(`CREATE SCHEMA ${schema}; ${thing.replace('$.', `${schema}.`)}`);
      await expect(opened(at(schema))).rejects.toThrow(code('NotALog'));
      const [count] = await database.run<{ tables: string }>(
        `SELECT count(*) AS tables FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relname = 'commits'`,
      );
      expect(count?.tables).toBe('0');
    }
  });

  it('shares its database with others, and their locks are not its own', async () => {
    const [one, other] = await Promise.all([TestLog.on(at(fresh())), TestLog.on(at(fresh()))]);
    await one.append(commit('c1', event('NOTED', user('u1'))));
    // Would wait for ever if both had the same lock.
    await one.session.exclusive(async () => void (await other.append(commit('c1', event('NOTED', user('u2'))))));
    expect((await everything(one.session)).documents).toEqual([{ ...user('u1'), head: 1 }]);
    expect((await everything(other.session)).documents).toEqual([{ ...user('u2'), head: 1 }]);
    await Promise.all([one.close(), other.close()]);
  });
});

/** Whether somebody waits for the write lock of a log. */
async function isWaiting(): Promise<boolean> {
  const waiting = await database.run(`SELECT ${waitsFor('write_lock')}`);
  return waiting.length > 0;
}

describe('a log of another format', () => {
  it('is refused if that is a breaking one, and used if not', async () => {
    const schema = fresh();
    const log = await TestLog.on(at(schema));
    await database.run(`INSERT INTO ${schema}.migrations VALUES (${FORMAT + 1}, false, now())`);
    const beside = await at(schema).open();
    await log.append(commit('c1', event('NOTED')), { by: beside });
    await beside.close();
    await database.run(`INSERT INTO ${schema}.migrations VALUES (${FORMAT + 2}, true, now())`);
    await expect(opened(at(schema))).rejects.toThrow(code('FormatTooNew'));
    await log.close();
  });

  it('is neither written nor read any more by a session that was open before a breaking one', async () => {
    const schema = fresh();
    const log = await TestLog.on(at(schema));
    const { session } = log;
    const later = (breaking: boolean, format: number) =>
      database.run(`INSERT INTO ${schema}.migrations VALUES (${format}, ${breaking}, now())`);
    await later(false, FORMAT + 1);
    await log.append(commit('c1', event('NOTED')));
    expect((await session.load([])).end.position).toBe(1);
    const waiting = session.moved(log.end, new AbortController().signal).catch((error: unknown) => error);
    await later(true, FORMAT + 2);
    const told = expect.objectContaining({ code: 'FormatTooNew', retryable: false });
    await expect(log.append(commit('c2', event('NOTED')))).rejects.toThrow(told);
    await expect(register(session, COLLECTIONS)).rejects.toThrow(told);
    const locked = log.session.exclusive((by) => log.append(commit('c2', event('NOTED')), { by }));
    await expect(locked).rejects.toThrow(told);
    const u1 = user('u1');
    const reads: Record<string, () => Promise<unknown>> = {
      end: () => session.load([]),
      load: () => session.load([{ ...u1, after: 0 }]),
      'load as of': () => session.load([{ ...u1, after: 0 }], { asOf: 1 }),
      read: () => session.read({ limit: 1 }),
      'read of types': () => session.read({ types: ['NOTED'], reverse: true, limit: 1 }),
      history: () => session.read({ document: u1, limit: 1 }),
      scan: () => session.scan({ after: 0, limit: 1, known: () => false }),
      commits: () => session.commits({ limit: 1 }),
      ledger: () => session.ledger(['c1']),
      types: () => session.types({ limit: 1 }),
      documents: () => session.documents({ limit: 1 }),
      stored: () => session.stored({ set: 1, limit: 1 }),
      'stored by ids': () => session.stored({ set: 1, ids: ['u1'] }),
      advance: () => session.advance(TestSet.of(log).step([])),
      sweep: () => session.sweep(),
      registry: () => session.registry(),
      check: () => session.check(),
    };
    for (const [name, read] of Object.entries(reads)) {
      expect([name, await read().catch((error: unknown) => error)]).toEqual([name, told]);
    }
    expect(await waiting).toEqual(told);
    expect(await database.run(`SELECT command_id FROM ${schema}.commits`)).toEqual([{ command_id: 'c1' }]);
    await log.close();
  });

  it('is written to no more by an append that waited for the lock while it was made', async () => {
    const schema = fresh();
    const [log, other] = await Promise.all([TestLog.on(at(schema)), TestLog.on(at(schema))]);
    let late: Promise<unknown> | undefined;
    await other.session.exclusive(async () => {
      late = log.append(commit('c1', event('NOTED')));
      late.catch(() => undefined);
      await until(isWaiting);
      await database.run(`INSERT INTO ${schema}.migrations VALUES (${FORMAT + 1}, true, now())`);
    });
    await expect(late).rejects.toThrow(code('FormatTooNew'));
    await Promise.all([log.close(), other.close()]);
  });

  it('that has lost a part says so', async () => {
    const schema = fresh();
    const log = await TestLog.on(at(schema));
    await database.run(`ALTER TABLE ${schema}.events RENAME TO eventz`);
    await expect(log.session.read({ limit: 1 })).rejects.toThrow(code('LogCorrupt'));
    await expect(log.append(commit('c1', event('NOTED')))).rejects.toThrow(code('LogCorrupt'));
    await log.close();
  });
});

describe('privileges', () => {
  it('a role with what grants() gives can use the log, and not rewrite it', async () => {
    const schema = fresh();
    await opened(at(schema));
    await withRole('', async (url, role) => {
      await expect(opened(postgres(url, { schema }))).rejects.toThrow(code('NotWritable'));
      await database.run(grants(schema, role));
      const log = await TestLog.on(postgres(url, { schema }));
      await log.append([commit('c1', event('BOUGHT', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
      await log.refuse(commit('c1', event('NOTED')), { reads: [{ ...user('u1'), version: 0 }] });
      await log.session.exclusive(async (by) => void (await log.append(commit('c3', event('NOTED')), { by })));
      expect((await everything(log.session)).events).toHaveLength(3);
      const set = TestSet.of(log);
      set.generation = (await addKeying(log.session, 'later')).generation;
      await set.advance([document('u1', 2)]);
      const index = await addIndex(log.session, set.number, { state: 'filling' });
      await log.session.exclusive(async (by) => {
        const { documents = [] } = (await by.stored({ set: set.number, limit: 10 })) ?? {};
        const entries = documents.map(({ id }) => entry(index, id, id));
        await by.fillIndex({ index, from: undefined, to: undefined, entries, live: true });
        const attachments = [{ position: 2, type: 'NOTED', ids: ['l1'] }];
        const { generation } = await by.registry();
        const page = { keying: 'later', generation, from: 0, to: 3, seen: log.end, attachments, live: true };
        expect(await by.attach(page)).toBe('stored');
      });
      expect((await set.all({ index })).map(({ id }) => id)).toEqual(['u1']);
      expect(await log.head({ collection: 'later', id: 'l1' })).toBe(1);
      expect(await log.session.sweep()).toBe(false);
      expect(await log.session.check()).toEqual([]);
      await log.close();

      for (const statement of [
        'DELETE FROM $.events',
        'UPDATE $.commits SET outcome = 1',
        'INSERT INTO $.names VALUES (99, $$x$$)',
        'TRUNCATE $.attachments',
        'DELETE FROM $.stored',
        "UPDATE $.keyings SET state = 'retired'",
        'UPDATE $.sets SET position = 0',
        'INSERT INTO $.later VALUES (1, 1, 1)',
        'DELETE FROM $.entries',
        'LOCK TABLE $.write_lock IN EXCLUSIVE MODE',
        'DROP FUNCTION $.fence_v1',
        'CREATE TABLE $.mine (id int)',
      ]) {
        const asRole = `SET ROLE ${role}; ${statement.replace('$.', `${schema}.`)}`;
        await expect(database.run(asRole)).rejects.toThrow(/permission denied|must be owner/);
      }
    });
  });

  it.each(['that may only connect', 'that may read all of it'])('a role %s can’t stop writes', async (who) => {
    const schema = fresh();
    const log = await TestLog.on(postgres(database.url, { schema, lockTimeoutMs: 500 }));
    const [{ id }] = (await database.run<{ id: string }>(`SELECT id FROM ${schema}.log`)) as [{ id: string }];
    await withRole('', async (url, role) => {
      if (who !== 'that may only connect') {
        await database.run(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
          GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
      }
      const client = new Client(url);
      await client.connect();
      for (const [n, statement] of [
        // What was the write lock before, and any other lock that needs no privilege.
        `SELECT pg_advisory_lock(${0x54_69_64_65}, oid::int4) FROM pg_class WHERE relname = 'commits'`,
        ...['SHARE UPDATE EXCLUSIVE', 'SHARE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE', 'ROW SHARE', 'ACCESS SHARE'].flatMap(
          (mode) => ['write_lock', 'commits', 'log'].map((table) => `LOCK TABLE ${schema}.${table} IN ${mode} MODE`),
        ),
        `SELECT FROM ${schema}.write_lock FOR UPDATE`,
        `SELECT FROM ${schema}.log FOR KEY SHARE`,
        `SELECT FROM ${schema}.commits FOR UPDATE`,
        `SELECT FROM ${schema}.lock_v1('1000', '${id}')`,
        `SELECT FROM ${schema}.fence_v1('${id}', 1, '1000', '${id}')`,
        `SELECT FROM ${schema}.change_v1('1000', true, 0, '[]', '[]', '[]', '{}', '${id}')`,
        `SELECT FROM ${schema}.hold_set_v1('1000', 1, '${id}')`,
        `SELECT FROM ${schema}.sweep_v1('1000', 1, '${id}')`,
      ].entries()) {
        await client.query('BEGIN');
        const tried = await client.query(statement).then(
          () => 'done',
          ({ code }: { code: string }) => code,
        );
        // 42501: it may not.
        expect([statement, ['done', '42501'].includes(tried)]).toEqual([statement, true]);
        expect([statement, (await log.append(commit(`c${n}`, event('NOTED')))).versions]).toEqual([statement, []]);
        await client.query('ROLLBACK');
      }
      await client.end();
    });
    await log.close();
  });

  it('a role that may only look can look', async () => {
    const schema = fresh();
    const log = await TestLog.on(at(schema));
    await log.append(commit('c1', event('NOTED', user('u1'))));
    const looking = `GRANT USAGE ON SCHEMA ${schema} TO $role; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO $role`;
    await withRole(looking, async (url) => {
      const session = await postgres(url, { schema }).open();
      expect((await session.read({ limit: 1 })).events).toHaveLength(1);
      await expect(register(session, [{ ...COLLECTIONS[0]!, name: 'more' }])).rejects.toThrow(code('NotWritable'));
      // What is there already needs no right to write.
      expect(await register(session, COLLECTIONS)).toEqual(log.registry);
      await expect(session.append(log.batch(commit('c2', event('NOTED'))))).rejects.toThrow(forGood('NotWritable'));
      const set = TestSet.of(log);
      expect(await set.page({ limit: 1 }, session)).toMatchObject({ documents: [] });
      await expect(session.advance(set.step([document('u1')]))).rejects.toThrow(forGood('NotWritable'));
      await expect(session.sweep()).rejects.toThrow(forGood('NotWritable'));
      await session.close();
    });
    await log.close();
  });

  it('a role that loses its privileges, or its way in, is told so while it is connected', async () => {
    const schema = fresh();
    await opened(at(schema));
    await withRole('', async (url, role) => {
      await database.run(grants(schema, role));
      const log = await TestLog.on(postgres(url, { schema }));
      await log.append(commit('c1', event('NOTED')));
      await database.run(`REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ${schema} FROM ${role}`);
      await expect(log.append(commit('c2', event('NOTED')))).rejects.toThrow(forGood('NotWritable'));
      await database.run(`REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${role}`);
      await expect(log.session.read({ limit: 1 })).rejects.toThrow(forGood('NotWritable'));
      await database.run(`ALTER ROLE ${role} NOLOGIN`);
      await database.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
      await expect(log.session.read({ limit: 1 })).rejects.toThrow(forGood('NotWritable'));
      await log.close();
    });
  });

  it('a database that was dropped is gone for good', async () => {
    const name = `dropped_${new URL(database.url).pathname.slice(1)}`;
    await database.run(`CREATE DATABASE ${name} TEMPLATE template0`);
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    const log = await TestLog.on(postgres(url.href));
    await database.run(`DROP DATABASE ${name} WITH (FORCE)`);
    await expect(log.append(commit('c1', event('NOTED')))).rejects.toThrow(forGood('NotWritable'));
    await expect(log.session.read({ limit: 1 })).rejects.toThrow(forGood('NotWritable'));
    await log.close();
  });

  it('a role that may not make a log is told so', async () => {
    await withRole('', async (url) => {
      await expect(opened(postgres(url, { schema: fresh() }))).rejects.toThrow(code('NotWritable'));
    });
  });

  it('a role and a database that don’t exist are named', async () => {
    const url = new URL(inject('postgres'));
    url.username = 'nobody_of_that_name';
    await expect(opened(postgres(url.href))).rejects.toThrow(code('NotWritable'));
    await expect(opened(postgres(new URL('/no_such_database', inject('postgres')).href))).rejects.toThrow(
      code('NotWritable'),
    );
  });

  it('a server without TLS is no server where TLS is asked for', async () => {
    const store = postgres(database.url, { schema: fresh(), connection: { ssl: true } });
    await expect(opened(store)).rejects.toThrow(forGood('StoreUnavailable'));
  });
});

describe('a server that asks for a password', () => {
  const right = 'correct horse';
  let server: Server;
  beforeAll(async () => void (server = await start(right)));
  afterAll(() => server.end());

  it('lets in whoever has it, from the URL or from a function', async () => {
    const url = new URL(server.url);
    await opened(postgres(url.href, { connection: { password: async () => right } }));
    url.password = right;
    await opened(postgres(url.href));
  });

  it('and nobody else; and nothing that is said holds a password', async () => {
    const url = new URL(server.url);
    await expect(opened(postgres(url.href))).rejects.toThrow(code('NotWritable'));
    url.password = 'hunter2';
    const error: unknown = await opened(postgres(url.href)).catch((error: unknown) => error);
    expect(error).toEqual(code('NotWritable'));
    const { cause, stack } = error as Error;
    expect(`${stack} ${JSON.stringify(error)} ${String(cause)} ${JSON.stringify(cause)}`).not.toContain('hunter2');
  });
});

/** A server that says of itself what a test needs. */
function saying(...row: readonly string[]): PostgresPool {
  const client: PostgresClient = {
    query: async () => ({ rows: [row], command: 'SELECT' }),
    on: () => undefined,
    off: () => undefined,
    release: () => undefined,
  };
  return { connect: async () => client, on: () => undefined, end: async () => undefined };
}

it.each([
  ['PostgreSQL 14', ['140011', 'UTF8', 'on', 'read committed'], 'NotALog'],
  ['a database that isn’t UTF-8', ['150001', 'LATIN1', 'on', 'read committed'], 'NotALog'],
  ['a server that doesn’t flush', ['150001', 'UTF8', 'off', 'read committed'], 'NotWritable'],
])('%s is refused by name', async (_, row, refusal) => {
  await expect(opened(postgres(saying(...row)))).rejects.toThrow(code(refusal));
});
