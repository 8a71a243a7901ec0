/** The pages about PostgreSQL, run on one: their programs as they stand, and their SQL on a log with something in it. */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { Client } from 'pg';
import { domain, open, type, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { testDatabase, withDatabases } from '../support/postgres.ts';
import { temporaryFolder } from '../support/stores.ts';
import { blocksOf, isCode, PAGES, read } from './pages.ts';
import { WrittenPages } from './written.ts';

const blocks = PAGES.filter((page) => page !== 'docs/tutorial.md').flatMap((page) => blocksOf(page));
const programs = Map.groupBy(blocks.filter(isCode), ({ page }) => page);
const pages = [...programs].filter(([, own]) => own.some(({ code }) => code.includes('DATABASE_URL')));
const written = new WrittenPages('postgres');

beforeAll(() => written.write(pages.flatMap(([, own]) => own)));
afterAll(() => written.remove());

test('there are such pages', () => {
  expect(pages.length).toBeGreaterThan(1);
});

test.each(pages)('%s: its programs', async (_, own) => {
  await withDatabases(async (make) => {
    const { url } = await make();
    const ran = written.run(own, () => ({ DATABASE_URL: url }));
    for (const block of own)
      expect({ file: block.file, ...written.faultsOf(block, ran) }).toEqual({
        file: block.file,
        error: undefined,
        missing: [],
      });
  });
});

/** A log of workshops with one document of two events. */
async function fill(store: Store): Promise<void> {
  const school = domain({ events: { PLANNED: type<{ workshop_id: string }>() } });
  const workshops = school.collection('workshops', {
    key: 'workshop_id',
    initial: {},
    reduce: { PLANNED: (one) => one },
  });
  const plan = school.command('PLAN', {
    input: type<{ workshop_id: string }>(),
    decide: (_, input) => ({ type: 'PLANNED', ...input }),
  });
  const app = await open({ store, collections: [workshops], commands: [plan] });
  for (const workshop_id of ['pottery', 'baking', 'pottery']) await app.execute(plan, { workshop_id });
  await app.close();
}

const history = [
  { version: 1, position: 1, type: 'PLANNED' },
  { version: 2, position: 3, type: 'PLANNED' },
];
/** The tables that a page tells of. */
const tablesOf = (page: string): string[] => {
  const [, section = ''] = /^## The tables\n([^]*?)(?=^## |$(?![^]))/m.exec(read(page)) ?? [];
  return [...section.matchAll(/^\| `(\w+)` /gm)].map(([, table = '']) => table).sort();
};
const sqlOf = (page: string): string[] =>
  blocks.filter((block) => block.page === page && block.language === 'sql').map(({ code }) => code);

describe('the SQL, and the tables,', () => {
  const database = testDatabase();
  const folder = temporaryFolder();

  test('of docs/reference/postgres.md', async () => {
    await fill(postgres(database.url));
    const tables = await database.run<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'tidemark' ORDER BY 1",
    );
    expect(tablesOf('docs/reference/postgres.md')).toEqual(tables.map(({ name }) => name).sort());
    const [locks = '', documents = '', ...more] = sqlOf('docs/reference/postgres.md');
    expect(more).toEqual([]);
    const rows = await database.run<(typeof history)[number]>(documents);
    const plain = rows.map(({ version, position, type }) => ({
      version: Number(version),
      position: Number(position),
      type,
    }));
    expect(plain).toEqual(history);

    expect(await database.run(locks)).toEqual([]);
    const holder = new Client(database.url);
    await holder.connect();
    onTestFinished(() => holder.end());
    await holder.query('BEGIN; LOCK TABLE tidemark.write_lock IN EXCLUSIVE MODE');
    expect(await database.run(locks)).toMatchObject([{ granted: true }]);
  });

  test('of docs/reference/sqlite.md', async () => {
    const file = join(folder, 'market.db');
    await fill(sqlite(file));
    const [documents = '', ...more] = sqlOf('docs/reference/sqlite.md');
    expect(more).toEqual([]);
    const log = new DatabaseSync(file, { readOnly: true });
    onTestFinished(() => log.close());
    expect(log.prepare(documents).all()).toMatchObject(history);
    const tables = log.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    expect(tablesOf('docs/reference/sqlite.md')).toEqual(tables.map(({ name }) => name));
  });

  test('there is no other', () => {
    const pages = new Set(blocks.filter(({ language }) => language === 'sql').map(({ page }) => page));
    expect([...pages].sort()).toEqual(['docs/reference/postgres.md', 'docs/reference/sqlite.md']);
  });
});
