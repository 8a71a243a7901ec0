/** check() of logs that are looked at in several pieces: nothing is overlooked where one ends, and none takes long. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testDatabase } from '../../../../test/support/postgres.ts';
import { commit, event, range, service, user } from '../../../testing/conformance/batches.ts';
import { TestLog } from '../../../testing/conformance/log.ts';
import { postgres } from '../index.ts';

const database = testDatabase();
let schemas = 0;

/** So many events in three pieces of the log; all of them are u1's, so the index has as many. */
const LONG = 12_000;
/** Rows at both sides of where a piece ends, and what is said if one of them is damaged. */
const AT_EDGES = [5_000, 5_001].flatMap((n) => [
  [`DELETE FROM $.events WHERE position = ${n}`, `Events are missing from position ${n} up to ${n + 1}.`],
  [`DELETE FROM $.commits WHERE position = ${n}`, `A commit begins at position ${n + 1}, where ${n} was expected.`],
  [
    `UPDATE $.commits SET recorded_at = recorded_at - 86400000 WHERE position = ${n}`,
    `The commit at position ${n} was recorded before the one before it.`,
  ],
  [
    `DELETE FROM $.attachments WHERE version = ${n}`,
    `Document 1 has an event of version ${n + 1} where ${n} was expected.`,
  ],
  [`DELETE FROM $.attachments WHERE version = ${n}`, `The index holds ${LONG - 1} attachments, the events ${LONG}.`],
  [
    `UPDATE $.attachments SET position = position - 1 WHERE version = ${n}`,
    `Version ${n} of document 1 comes before the version below it.`,
  ],
  [
    `UPDATE $.attachments SET position = position + 100000 WHERE version = ${n}`,
    `Version ${n} of document 1 should be the event at position ${n + 100_000}, which doesn't exist.`,
  ],
]) as [sql: string, finding: string][];

describe('check, in pieces', () => {
  const schema = 'long';
  let log: TestLog;
  beforeAll(async () => {
    log = await TestLog.on(postgres(database.url, { schema }));
    for (let n = 0; n < LONG; n += 1_000) {
      await log.append(range(n + 1, n + 1_000).map((n) => commit(`c${n}`, event('NOTED', user('u1')))));
    }
  });
  afterAll(() => log.close());

  it('finds nothing in a sound log', async () => {
    expect(await log.session.check()).toEqual([]);
  });

  it.each(AT_EDGES)('%s', async (sql, finding) => {
    const copy = `damaged_${(schemas += 1)}`;
    // Put back after each: making so long a log takes longer than damaging it.
    await database.run(`CREATE SCHEMA ${copy}`);
    for (const table of ['events', 'commits', 'attachments']) {
      await database.run(`CREATE TABLE ${copy}.${table} AS SELECT * FROM ${schema}.${table}`);
    }
    await database.run(sql.replaceAll('$.', `${schema}.`));
    expect(await log.session.check()).toContain(finding);
    for (const table of ['events', 'commits', 'attachments']) {
      await database.run(`TRUNCATE ${schema}.${table}; INSERT INTO ${schema}.${table} SELECT * FROM ${copy}.${table}`);
    }
    await database.run(`DROP SCHEMA ${copy} CASCADE`);
    expect(await log.session.check()).toEqual([]);
  });
});

it('the rows of a piece are looked up: no table is read whole for each', async () => {
  const used = async (): Promise<{ inserted: number; whole: number; byIndex: number }> => {
    const [row] = await database.run<{ inserted: string; whole: string; by_index: string }>(
      `SELECT n_tup_ins AS inserted, seq_scan AS whole, idx_scan AS by_index
       FROM pg_stat_all_tables WHERE schemaname = 'looked' AND relname = 'attachments'`,
    );
    return { inserted: Number(row!.inserted), whole: Number(row!.whole), byIndex: Number(row!.by_index) };
  };
  /** A connection tells what it did when it ends, at the latest. */
  const told = async (isTold: (now: Awaited<ReturnType<typeof used>>) => boolean): Promise<void> => {
    await expect.poll(async () => isTold(await used()), { timeout: 20_000 }).toBe(true);
  };
  const rows = 60_000;
  const writer = await TestLog.on(postgres(database.url, { schema: 'looked' }));
  for (let n = 0; n < rows; n += 1_000)
    await writer.append(range(n + 1, n + 1_000).map((n) => commit(`c${n}`, event('NOTED', user('u1')))));
  await writer.close();
  await told(({ inserted }) => inserted === rows);
  const before = await used();
  const checker = await TestLog.on(postgres(database.url, { schema: 'looked' }));
  expect(await checker.session.check()).toEqual([]);
  await checker.close();
  await told(({ byIndex }) => byIndex - before.byIndex > rows);
  expect((await used()).whole).toBe(before.whole);
});

// One look for each item in its list took 100 s for such an event; a minute is all that a test has.
it('an event on 20,000 documents is checked, by a role whose statements may take a tenth of a second', async () => {
  const role = `${new URL(database.url).pathname.slice(1)}_hasty`;
  await database.run(
    `CREATE ROLE ${role} LOGIN SUPERUSER; ALTER ROLE ${role} SET statement_timeout = 100; ALTER ROLE ${role} SET temp_file_limit = 0`,
  );
  const url = Object.assign(new URL(database.url), { username: role }).href;
  const log = await TestLog.on(postgres(url, { schema: 'wide' }));
  await log.append(commit('c1', event('NOTED', ...range(1, 20_000).map((n) => service(`s${n}`)))));
  expect(await log.session.check()).toEqual([]);
  await database.run('UPDATE wide.attachments SET type = type + 1 WHERE document = 20000');
  expect(await log.session.check()).toEqual([
    "The event at position 1 says that it is version 1 of document 20000, the index doesn't.",
  ]);
  await log.close();
  await database.run(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
});
