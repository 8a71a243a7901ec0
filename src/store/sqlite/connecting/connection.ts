/**
 * A connection of SQLite, set up for a log, with typed access to its rows (arrays are a third faster than objects).
 */
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { SQLInputValue, StatementSync } from 'node:sqlite';

/** Page cache of a connection, in KiB. */
const CACHE_KIB = 32 * 1024;
/**
 * The write-ahead log is copied into the file when this many pages (4 KiB each) wait. Attachments of many documents change the
 * same pages again and again, and each page is copied once: 5 to 15% faster than SQLite's own 1,000.
 */
export const CHECKPOINT_PAGES = 4_000;

/** `timeout`: never SQLite's own waiting, see lock.ts. */
const OPTIONS = { timeout: 0, returnArrays: true, enableForeignKeyConstraints: false };

/** Opens `file`, and makes it if it doesn't exist. Nothing is read or written yet. */
export function connect(file: string): DatabaseSync {
  return new DatabaseSync(file, OPTIONS);
}

/**
 * What SQLite opens. `settled`: no process has the log open, so its first file is the whole log. Then SQLite takes no lock and
 * makes no file beside it, which works on a disk that can't be written.
 */
export function urlOf(file: string, settled = false): URL {
  const url = pathToFileURL(file);
  if (settled) url.searchParams.set('immutable', '1');
  return url;
}

/** Opens `file` to read it. */
export function connectForReading(file: string, settled: boolean): DatabaseSync {
  // `defensive` would forbid `writable_schema`, which header.ts needs.
  return new DatabaseSync(urlOf(file, settled), { ...OPTIONS, readOnly: true, defensive: false });
}

/** Sets a connection up. Busy while another process makes or recovers the log. */
export function setUp(database: DatabaseSync): void {
  database.exec(
    `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_KIB};
     PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  );
}

/** The first row of a statement. */
export function one<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...parameters: readonly SQLInputValue[]
): Row | undefined {
  return statement.get(...parameters) as unknown as Row | undefined;
}

/** All rows of a statement, which is done when this returns. */
export function all<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...parameters: readonly SQLInputValue[]
): readonly Row[] {
  return statement.all(...parameters) as unknown as readonly Row[];
}

/**
 * The rows of a statement one by one, as long as `take` returns true: so a long answer that is cut need not fit into memory.
 * The statement is done when this returns.
 */
export function each<Row extends readonly unknown[]>(
  statement: StatementSync,
  parameters: readonly SQLInputValue[],
  take: (row: Row) => boolean,
): void {
  const rows = statement.iterate(...parameters);
  try {
    for (;;) {
      const { done, value } = rows.next();
      if (done === true || !take(value as unknown as Row)) return;
    }
  } finally {
    // Also after an error: an open statement would keep the write-ahead log from starting again.
    rows.return?.();
  }
}

/** The value of a query with one row and one column. */
export function single<T>(database: DatabaseSync, sql: string): T {
  const row = one<[T]>(database.prepare(sql));
  if (row === undefined) throw new TypeError(`no row: ${sql}`);
  return row[0];
}
