/** What a session on a real server owes beyond the conformance suite. */
import { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDatabase, waitsFor } from '../../../test/support/postgres.ts';
import { Proxy } from '../../../test/support/proxy.ts';
import { until } from '../../../test/support/until.ts';
import { at, COLLECTIONS, commit, event, GENESIS, range, service, user } from '../../testing/conformance/batches.ts';
import { everything, TestLog } from '../../testing/conformance/log.ts';
import { register } from '../../testing/conformance/registered.ts';
import { postgres } from './index.ts';
import type { PostgresOptions } from './index.ts';

const database = testDatabase();
const unavailable = (unknown: boolean) =>
  expect.objectContaining({
    code: 'StoreUnavailable',
    details: unknown ? expect.objectContaining({ unknown: true }) : expect.not.objectContaining({ unknown: true }),
  });

let proxy: Proxy;
let schemas = 0;
beforeEach(async () => {
  proxy = await Proxy.to(Number(new URL(database.url).port));
});
afterEach(() => proxy.close());

/** A log that is reached by way of the proxy, and the same log directly. */
async function logs(options: PostgresOptions = {}): Promise<{ log: TestLog; direct: TestLog }> {
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const schema = `session_${(schemas += 1)}`;
  const direct = await TestLog.on(postgres(database.url, { schema }));
  return { log: await TestLog.on(postgres(url.href, { schema, connections: 2, ...options })), direct };
}

const isAppend = (bytes: Buffer): boolean => bytes.includes('append_v1');
const isCommit = (bytes: Buffer): boolean => bytes.includes('COMMIT\0');

describe('law 1, lesson 23: an append that got no answer', () => {
  it('is never stored once the ledger has said that it isn’t, however late it arrives', async () => {
    const { log, direct } = await logs();
    await log.append(commit('c1', event('NOTED', user('u1'))));
    proxy.hold = isAppend;
    const sent = log.send(commit('c2', event('BOUGHT', user('u1'))));
    await until(() => proxy.holding);
    proxy.hold = () => false;
    proxy.cut();
    await expect(sent).rejects.toThrow(unavailable(true));
    expect(await log.session.ledger(['c2'])).toEqual([]);
    // Now it arrives, and its backend runs it, though nobody waits for the answer.
    const [before] = await database.run<{ now: string }>('SELECT clock_timestamp()::text AS now');
    proxy.release();
    const arrived = `SELECT FROM pg_stat_activity WHERE query LIKE '%append_v1%' AND pid <> pg_backend_pid()
      AND datname = current_database() AND state = 'idle' AND query_start > '${before!.now}'`;
    await until(async () => (await database.run(arrived)).length > 0);
    expect(await direct.session.ledger(['c2'])).toEqual([]);
    // The same ids may be sent again, and other appends of the session go on.
    expect((await log.append(commit('c2', event('BOUGHT', user('u1'))))).versions).toEqual([2]);
    expect((await log.append(commit('c3', event('BOUGHT', user('u1'))))).versions).toEqual([3]);
    await Promise.all([log.close(), direct.close()]);
  });

  it('waits for the lock, and the ledger waits for it', async () => {
    const { log, direct } = await logs();
    let sent: Promise<unknown> | undefined;
    let asked: Promise<unknown> | undefined;
    await direct.session.exclusive(async () => {
      sent = log.send(commit('c1', event('NOTED')));
      void sent.catch(() => undefined);
      const waits = `SELECT ${waitsFor('write_lock')}`;
      await until(async () => (await database.run(waits)).length === 1);
      proxy.cut();
      await expect(sent).rejects.toThrow(unavailable(true));
      asked = log.session.ledger(['c1']).then((entries) => entries.length);
      await until(async () => (await database.run(waits)).length === 2);
    });
    // Whether its backend has noticed that its client is gone: the answer is what is in the log for good.
    const found = await asked;
    await direct.append(commit('c2', event('NOTED')));
    expect((await direct.session.ledger(['c1'])).length).toBe(found);
    await Promise.all([log.close(), direct.close()]);
  });

  it('that was stored is found by its ids when it is sent again', async () => {
    const { log, direct } = await logs();
    let lost = false;
    proxy.swallow = (bytes) => {
      lost ||= bytes.includes('stored');
      return lost;
    };
    const sent = log.send(commit('c1', event('NOTED', user('u1'))));
    await until(() => lost);
    await until(async () => (await direct.session.ledger(['c1'])).length === 1);
    proxy.cut();
    await expect(sent).rejects.toThrow(unavailable(true));
    proxy.swallow = () => false;
    expect(await log.session.ledger(['c1'])).toHaveLength(1);
    expect((await log.refuse(commit('c1', event('NOTED', user('u1'))), { seen: GENESIS })).duplicates).toEqual(['c1']);
    await Promise.all([log.close(), direct.close()]);
  });

  it('within an exclusive section: unknown only if COMMIT was sent', async () => {
    const { log, direct } = await logs();
    await expect(
      log.session.exclusive(async (by) => {
        await log.append(commit('c1', event('NOTED')), { by });
        proxy.cut();
        await by.load([]);
      }),
    ).rejects.toThrow(unavailable(false));
    expect(await log.session.ledger(['c1'])).toEqual([]);
    log.end = GENESIS;
    proxy.hold = isCommit;
    const work = log.session.exclusive(async (by) => void (await log.append(commit('c2', event('NOTED')), { by })));
    void work.catch(() => undefined);
    await until(() => proxy.holding);
    proxy.hold = () => false;
    proxy.cut();
    await expect(work).rejects.toThrow(unavailable(true));
    proxy.release();
    const found = (await log.session.ledger(['c2'])).length;
    await direct.append(commit('c3', event('NOTED')), { seen: GENESIS });
    expect((await direct.session.ledger(['c2'])).length).toBe(found);
    await Promise.all([log.close(), direct.close()]);
  });

  it('is unknown when its backend is ended, and known when it only waited for the lock too long', async () => {
    const { log, direct } = await logs({ lockTimeoutMs: 100 });
    const { log: patient, direct: other } = await logs();
    await direct.session.exclusive(async () => {
      await expect(log.send(commit('c1', event('NOTED')))).rejects.toThrow(unavailable(false));
    });
    await other.session.exclusive(async () => {
      const sent = patient.send(commit('c1', event('NOTED')));
      void sent.catch(() => undefined);
      const end = `SELECT pg_terminate_backend(pid) ${waitsFor('write_lock')}`;
      await until(async () => (await database.run(end)).length === 1);
      await expect(sent).rejects.toThrow(unavailable(true));
    });
    expect(await patient.session.ledger(['c1'])).toEqual([]);
    await patient.append(commit('c1', event('NOTED')));
    await Promise.all([log, direct, patient, other].map((one) => one.close()));
  });
});

describe('a database that is away', () => {
  it('is told of within a bounded time, and is used again once it is back', async () => {
    const { log, direct } = await logs({ connectTimeoutMs: 200 });
    await log.append(commit('c1', event('NOTED')));
    proxy.refuses = true;
    proxy.cut();
    await expect(log.session.load([])).rejects.toThrow(unavailable(false));
    await expect(log.send(commit('c2', event('NOTED')))).rejects.toThrow(unavailable(false));
    await expect(log.session.exclusive(async () => undefined)).rejects.toThrow(unavailable(false));
    proxy.refuses = false;
    await log.append(commit('c2', event('NOTED')));
    expect((await everything(log.session)).events).toHaveLength(2);
    await Promise.all([log.close(), direct.close()]);
  });

  it('comes back while a call waits for it', async () => {
    const { log, direct } = await logs();
    proxy.refuses = true;
    proxy.cut();
    const waiting = [log.session.load([]), log.append(commit('c1', event('NOTED')))];
    await until(() => proxy.refused > 1);
    proxy.refuses = false;
    await Promise.all(waiting);
    await Promise.all([log.close(), direct.close()]);
  });

  it('ends idle connections without ending the process, of its own pool and of the user’s', async () => {
    const pool = new Pool({ connectionString: database.url, max: 3 });
    const shared = await TestLog.on(postgres(pool, { schema: `shared_${(schemas += 1)}` }));
    const { log, direct } = await logs();
    const others =
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
    await database.run(others);
    // Whoever writes before the end of its connection has arrived here is in doubt, and sends it again.
    for (const one of [shared, log]) {
      const stored = () =>
        one.send(commit('c1', event('NOTED')), { seen: GENESIS }).then(
          () => true,
          () => false,
        );
      await until(stored);
      expect(await one.session.ledger(['c1'])).toHaveLength(1);
    }
    // Between two statements of a section too.
    await expect(
      shared.session.exclusive(async (by) => {
        await database.run(others);
        await by.load([]);
      }),
    ).rejects.toThrow(unavailable(false));
    await Promise.all([shared.close(), log.close(), direct.close()]);
    expect(pool.ended).toBe(false);
    await pool.end();
  });

  it('that gives no answer is given up', async () => {
    const { log, direct } = await logs({ answerTimeoutMs: 200, lockTimeoutMs: 100, connectTimeoutMs: 1_000 });
    await log.append(commit('c1', event('NOTED')));
    proxy.hold = () => true;
    await expect(log.session.load([])).rejects.toThrow(unavailable(false));
    proxy.hold = () => false;
    proxy.cut();
    await until(() =>
      log.session.load([]).then(
        () => true,
        () => false,
      ),
    );
    await Promise.all([log.close(), direct.close()]);
  });
});

describe('isolation levels', () => {
  it.each(['repeatable read', 'serializable'])('%s as the default does no harm', async (level) => {
    const { log, direct } = await logs();
    const name = new URL(database.url).pathname.slice(1);
    await database.run(`ALTER DATABASE ${name} SET default_transaction_isolation = '${level}'`);
    try {
      // One that was open before meets it on a new connection, one that is opened now sees it at once.
      await database.run(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`,
      );
      const late = await log.open();
      await log.append(commit('c0', event('NOTED', service('s1'))));
      for (const round of range(1, 10)) {
        const reads = [at(service('s1'), round)];
        const answers = await Promise.all(
          [log.session, late].map((by, n) =>
            log.send(commit(`c${round}-${n}`, event('BOUGHT', service('s1'))), { by, reads }),
          ),
        );
        expect(answers.map(({ status }) => status).sort()).toEqual(['refused', 'stored']);
      }
      await expect(
        late.exclusive(async (by) => void (await log.append(commit('last', event('NOTED')), { by }))),
      ).resolves.toBeUndefined();
    } finally {
      await database.run(`ALTER DATABASE ${name} RESET default_transaction_isolation`);
    }
    await Promise.all([log.close(), direct.close()]);
  });
});

it('law 1: fences that are raised at once don’t collide at another level', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.run(`ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`);
  try {
    const { log, direct } = await logs();
    const sessions = [log.session, await log.open()];
    await database.run(
      `INSERT INTO session_${schemas}.fences VALUES (gen_random_uuid(), 1, now() - interval '2 days')`,
    );
    for (const [n, by] of sessions.entries()) {
      proxy.hold = isCommit;
      const sent = log.send(commit(`c${n}`, event('NOTED')), { by, seen: GENESIS });
      await until(() => proxy.holding);
      proxy.hold = () => false;
      proxy.cut();
      await expect(sent).rejects.toThrow(unavailable(true));
      proxy.release();
    }
    let asked: Promise<number>[] = [];
    await direct.session.exclusive(async () => {
      asked = sessions.map(async (session) => (await session.ledger(['c0', 'c1'])).length);
      const waits = `SELECT ${waitsFor('write_lock')}`;
      await until(async () => (await database.run(waits)).length === 2);
    });
    expect(await Promise.all(asked)).toEqual([2, 2]);
    await Promise.all([log.close(), direct.close()]);
  } finally {
    await database.run(`ALTER DATABASE ${name} RESET default_transaction_isolation`);
  }
});

it('a database that shows bytes in another form does no harm', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.run(`ALTER DATABASE ${name} SET bytea_output = 'escape'`);
  try {
    const { log, direct } = await logs();
    const { end } = await log.append(commit('c1', event('BOUGHT', user('u1'))));
    await log.append(commit('c2', event('NOTED')), { seen: end });
    await log.refuse(commit('c1', event('NOTED')));
    const { commits, events } = await everything(log.session);
    expect(commits[0]).toMatchObject({ hash: end.hash, command: { fingerprint: 'ab'.repeat(32) } });
    expect(events).toHaveLength(2);
    await Promise.all([log.close(), direct.close()]);
  } finally {
    await database.run(`ALTER DATABASE ${name} RESET bytea_output`);
  }
});

/** From now on the level is noted that a transaction has when it commits a row of a table. */
async function notesLevel(schema: string, table: string): Promise<void> {
  await database.run(`
    CREATE TABLE public.${schema} (level text);
    CREATE FUNCTION public.${schema}() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO public.${schema} VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON ${schema}.${table} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION public.${schema}()`);
}

/**
 * What a commit waits for, as it is when the commit is made: that of a function is another, and is undone before
 * (lesson 19).
 */
async function levelAtCommit(options: PostgresOptions): Promise<string | undefined> {
  const schema = `level_${(schemas += 1)}`;
  const log = await TestLog.on(postgres(database.url, { schema, ...options }));
  await notesLevel(schema, 'commits');
  await log.append(commit('c1', event('NOTED', user('u1'))));
  await log.close();
  const rows = await database.run<{ level: string }>(`SELECT level FROM public.${schema}`);
  expect(rows).toHaveLength(1);
  return rows[0]?.level;
}

/** What a server attaches by mustn't go in a crash that comes before its first append. */
it('law 7: what is registered is on stable storage, whatever the default is', async () => {
  const name = new URL(database.url).pathname.slice(1);
  const schema = `level_${(schemas += 1)}`;
  await database.run(`ALTER DATABASE ${name} SET synchronous_commit = off`);
  try {
    const session = await postgres(database.url, { schema }).open();
    await notesLevel(schema, 'keyings');
    await register(session, COLLECTIONS.slice(0, 1));
    await session.close();
    expect(await database.run(`SELECT level FROM public.${schema}`)).toEqual([{ level: 'on' }]);
  } finally {
    await database.run(`ALTER DATABASE ${name} RESET synchronous_commit`);
  }
});

describe('law 7, lesson 19: an acknowledged commit is on stable storage', () => {
  it.each([
    ['off', undefined, 'on'],
    ['off', 'local', 'local'],
    ['off', 'off', 'off'],
    ['on', undefined, 'on'],
    ['remote_apply', undefined, 'remote_apply'],
    ['local', undefined, 'local'],
    ['remote_apply', 'on', 'on'],
  ] as const)('where the default is %s and %s is asked for: %s', async (byDefault, synchronousCommit, level) => {
    const name = new URL(database.url).pathname.slice(1);
    await database.run(`ALTER DATABASE ${name} SET synchronous_commit = ${byDefault}`);
    try {
      expect(await levelAtCommit({ synchronousCommit })).toBe(level);
    } finally {
      await database.run(`ALTER DATABASE ${name} RESET synchronous_commit`);
    }
  });
});

describe('a pool of the user’s', () => {
  it('keeps its parsers, and nothing is left behind on its connections', async () => {
    const pool = new Pool({
      connectionString: database.url,
      max: 2,
      // As many applications have it: the store must not mind, nor change it.
      types: { getTypeParser: () => () => 'parsed otherwise' } as never,
    });
    const log = await TestLog.on(postgres(pool, { schema: `pool_${(schemas += 1)}` }));
    await log.append([commit('c1', event('BOUGHT', user('u1'))), commit('c2', event('NOTED', user('u1')))]);
    await log.session.exclusive(async (by) => void (await log.append(commit('c3', event('NOTED')), { by })));
    expect((await everything(log.session)).documents).toEqual([{ ...user('u1'), head: 2 }]);
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    const plain = { getTypeParser: () => (value: string) => value } as never;
    for (const client of clients) {
      const left = await client.query({
        text: `SELECT current_setting('lock_timeout') AS lock, current_setting('jit') AS jit,
          current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('search_path') AS path,
          (SELECT count(*) FROM pg_prepared_statements WHERE name <> '') AS statements,
          (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ExclusiveLock' AND locktype <> 'virtualxid') AS locks`,
        types: plain,
      });
      const [fresh] = await database.run<object>(
        `SELECT current_setting('lock_timeout') AS lock, current_setting('jit') AS jit,
          current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('search_path') AS path`,
      );
      expect(left.rows).toEqual([{ ...fresh, statements: '0', locks: '0' }]);
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 'parsed otherwise' }]);
      client.release();
    }
    await log.close();
    await pool.end();
  });
});

it('closing waits for reads that are under way', async () => {
  const { log, direct } = await logs();
  await log.append(commit('c1', event('NOTED')));
  const reading = range(1, 20).map(() => log.session.read({ limit: 1 }));
  await log.session.close();
  for (const { events } of await Promise.all(reading)) expect(events).toHaveLength(1);
  await direct.close();
});
