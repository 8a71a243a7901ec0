/** A log that is taken away while it is followed, and nothing else asks for it: whoever waits is told by name, and soon. */
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { open, type RecordedEvent, type Store } from 'tidemark';
import { postgres } from 'tidemark/postgres';
import { sqlite } from 'tidemark/sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createService, parts, services } from '../support/market.ts';
import { testDatabase } from '../support/postgres.ts';
import { keepingLogger, temporaryFolder } from '../support/stores.ts';

/** Within which a follower is told; it takes a second at most where nothing else is going on. In milliseconds. */
const TOLD_MS = 5_000;

/** What comes of asking for the next one: an error is what is expected. */
const ask = (one: AsyncIterator<RecordedEvent>): Promise<unknown> =>
  one.next().then(
    () => 'an event',
    (error: unknown) => error,
  );

/** Followers of all, of a type and of a document, waiting at the end of the log; one that is asked only when the log has gone. */
async function followers(
  store: Store,
  readOnly = false,
): Promise<{
  readonly told: () => Promise<readonly unknown[]>;
  readonly lines: ReturnType<typeof keepingLogger>['lines'];
}> {
  const logger = keepingLogger();
  const app = await open({ store, ...parts, logger });
  onTestFinished(() => app.close());
  if (!readOnly) await app.execute(createService, { service_id: 's1' });
  const iterators = [
    app.events({ follow: true }),
    app.events({ follow: true, types: ['SERVICE_CREATED'] }),
    app.history(services, 's1', { follow: true }),
    app.events({ follow: true }),
  ];
  for (const one of iterators) expect((await one.next()).value?.position).toBe(1);
  const late = iterators.pop()!;
  const waiting = iterators.map(ask);
  await sleep(100);
  return {
    lines: logger.lines,
    told: async () => {
      const enough = new AbortController();
      const silent = sleep(TOLD_MS, 'silence', { signal: enough.signal }).catch(() => 'silence');
      const told = await Promise.all([...waiting, ask(late)].map((one) => Promise.race([one, silent])));
      enough.abort();
      return told;
    },
  };
}

/** What all four of them are told. */
const all = (code: string) => Array.from({ length: 4 }, () => ({ code, retryable: false }));

describe('of SQLite', () => {
  const folder = temporaryFolder();
  const ways: Record<string, readonly [code: string, take: (file: string) => void]> = {
    'the file is removed': ['StoreUnavailable', (file) => rmSync(file)],
    'the file and those beside it are removed': [
      'StoreUnavailable',
      (file) => ['', '-wal', '-shm'].forEach((end) => rmSync(file + end)),
    ],
    'the file is replaced': [
      'StoreUnavailable',
      (file) => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
    'the file is emptied': ['StoreUnavailable', (file) => truncateSync(file)],
    'its directory is renamed': ['StoreUnavailable', (file) => renameSync(dirname(file), `${dirname(file)}-old`)],
    'its directory is replaced by an empty one': [
      'StoreUnavailable',
      (file) => {
        renameSync(dirname(file), `${dirname(file)}-old`);
        mkdirSync(dirname(file));
      },
    ],
    'its directory is removed': ['StoreUnavailable', (file) => rmSync(dirname(file), { recursive: true })],
    'the write-ahead log is removed': ['StoreUnavailable', (file) => rmSync(`${file}-wal`)],
    'the write-ahead log is cut off': ['HistoryDiverged', (file) => truncateSync(`${file}-wal`)],
    'the file is moved, and a link left in its place': [
      'StoreUnavailable',
      (file) => {
        mkdirSync(`${dirname(file)}-other`);
        renameSync(file, `${dirname(file)}-other/market.db`);
        symlinkSync(`${dirname(file)}-other/market.db`, file);
      },
    ],
    'the shared memory is removed': ['StoreUnavailable', (file) => rmSync(`${file}-shm`)],
  };
  for (const [index, [way, [code, take]]] of Object.entries(ways).entries()) {
    for (const readOnly of [false, true]) {
      test(`${way}${readOnly ? ', opened for reading' : ''}`, { timeout: 20_000 }, async () => {
        const directory = join(folder, `${index}${readOnly ? '-read' : ''}`);
        mkdirSync(directory);
        const file = join(directory, 'market.db');
        if (readOnly) {
          const writer = await open({ store: sqlite(file), ...parts });
          onTestFinished(() => writer.close());
          await writer.execute(createService, { service_id: 's1' });
        }
        const { told, lines } = await followers(sqlite(file, { readOnly }), readOnly);
        take(file);
        expect(await told()).toMatchObject(all(code));
        // Nobody waits for it, so nobody says that he does.
        expect(lines.filter(({ message }) => message.includes('waits'))).toEqual([]);
      });
    }
  }
});

describe('of PostgreSQL', () => {
  const database = testDatabase();
  const other = testDatabase();

  const schemas: Record<string, readonly string[]> = {
    'the schema is renamed': ['ALTER SCHEMA taken RENAME TO otherwise'],
    'the schema is dropped': ['DROP SCHEMA taken CASCADE'],
    'the schema is dropped and made again, with no log in it': ['DROP SCHEMA taken CASCADE', 'CREATE SCHEMA taken'],
  };
  for (const [way, statements] of Object.entries(schemas)) {
    test(`${way}`, { timeout: 20_000 }, async () => {
      await database.run('DROP SCHEMA IF EXISTS taken CASCADE');
      const { told, lines } = await followers(postgres(database.url, { schema: 'taken' }));
      for (const statement of statements) await database.run(statement);
      expect(await told()).toMatchObject(all('WrongLog'));
      expect(lines.filter(({ message }) => message.includes('waits'))).toEqual([]);
    });
  }

  test('another log stands in its place', { timeout: 20_000 }, async () => {
    const place = () => postgres(database.url, { schema: 'anew' });
    const { told } = await followers(place());
    await database.run('ALTER SCHEMA anew RENAME TO before');
    await (await open({ store: place(), ...parts })).close();
    expect(await told()).toMatchObject(all('WrongLog'));
  });

  const databases: Record<string, (name: string) => string> = {
    renamed: (name) => `ALTER DATABASE ${name} RENAME TO ${name}_old`,
    dropped: (name) => `DROP DATABASE ${name}`,
  };
  for (const [way, statement] of Object.entries(databases)) {
    test(`the database is ${way}`, { timeout: 20_000 }, async () => {
      const name = new URL(other.url).pathname.slice(1);
      const { told, lines } = await followers(postgres(other.url, { schema: way }));
      // Nobody may be connected, and nobody may come, while it is renamed.
      await database.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await database.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
      await database.run(statement(name));
      expect(await told()).toMatchObject(all('NotWritable'));
      expect(lines.filter(({ level }) => level !== 'warn')).toEqual([]);
      // For the next, and to be removed at the end.
      if (way === 'dropped') await database.run(`CREATE DATABASE ${name} TEMPLATE template0`);
      else await database.run(`ALTER DATABASE ${name}_old RENAME TO ${name}`);
      await database.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    });
  }
});
