/** Every store that there is, each with new, empty logs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, describe } from 'vitest';
import { testDatabase } from './postgres.ts';
import { isAll } from './setting.ts';

/** A folder that is removed when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A new store; by a clock, if it is given one. */
type NewStore = (options?: { readonly clock?: (() => number) | undefined }) => Store;

/** Runs a group of tests on each store. */
export function onEveryStore(name: string, tests: (makeStore: NewStore) => void): void {
  onMemoryAndSqlite(name, tests);
  onPostgres(name, tests);
}

/**
 * Runs a group of tests on memory and on SQLite; on PostgreSQL only in the run of all tests. For what the engine does alike
 * on each store: that PostgreSQL does what the contract asks is tested by the conformance suite, in each run.
 */
export function onLocalStores(name: string, tests: (makeStore: NewStore) => void): void {
  onMemoryAndSqlite(name, tests);
  if (isAll) onPostgres(name, tests);
}

/** Runs a group of tests where no connection of a pool keeps timers of its own. */
export function onMemoryAndSqlite(name: string, tests: (makeStore: NewStore) => void): void {
  describe(`${name} (memory)`, () => {
    tests((options) => memory(options));
  });
  describe(`${name} (sqlite)`, () => {
    const folder = temporaryFolder();
    let files = 0;
    tests((options) => sqlite(join(folder, `${(files += 1)}.db`), options));
  });
}

function onPostgres(name: string, tests: (makeStore: NewStore) => void): void {
  describe(`${name} (postgres)`, () => {
    const database = testDatabase();
    tests((options) => database.store(options));
  });
}

/** A logger that keeps what it is told. */
export function keepingLogger(): {
  readonly lines: { level: string; details: object; message: string }[];
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
} {
  const lines: { level: string; details: object; message: string }[] = [];
  const keep =
    (level: string) =>
    (details: object, message: string): void =>
      void lines.push({ level, details, message });
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** All of an async iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
