/**
 * A connection of SQLite, set up as a log needs it, and typed access to its rows (arrays: a third faster than objects).
 */
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { SQLInputValue, StatementSync } from 'node:sqlite';

/** Page cache of a connection, in KiB. */
const CACHE_KIB = 32 * 1024;
/**
 * The write-ahead log is copied into the file when this many pages (4 KiB each) wait for that. Attachments of many documents
 * touch the same pages again and again, and each is copied once: 5 to 15% faster than SQLite's own 1,000.
 */
export const CHECKPOINT_PAGES = 4_000;

/** Opens `file`, making it if there is none. Nothing is read or written yet. */
export function connect(file: string): DatabaseSync {
  return new DatabaseSync(file, {
    // Never SQLite's own waiting: see lock.ts.
    timeout: 0,
    returnArrays: true,
    enableForeignKeyConstraints: false,
  });
}

/**
 * What SQLite is told to open. `settled`: nobody has it open, so that its first file is all there is of it; then no lock is
 * taken, and no file made beside it, which would need a disk that can be written.
 */
export function urlOf(file: string, settled = false): URL {
  const url = pathToFileURL(file);
  if (settled) url.searchParams.set('immutable', '1');
  return url;
}

/** Opens `file` to read it. */
export function connectForReading(file: string, settled: boolean): DatabaseSync {
  return new DatabaseSync(urlOf(file, settled), {
    readOnly: true,
    timeout: 0,
    returnArrays: true,
    enableForeignKeyConstraints: false,
    // The mark of a file that is in the middle of a checkpoint is read with `writable_schema` (log-file.ts).
    defensive: false,
  });
}

/** Sets a connection up. Fails as busy while another process makes or recovers the log. */
export function setUp(database: DatabaseSync): void {
  database.exec(
    `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -${CACHE_KIB};
     PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
  );
}

/** The first row of what a statement finds. */
export function one<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...parameters: readonly SQLInputValue[]
): Row | undefined {
  return statement.get(...parameters) as unknown as Row | undefined;
}

/** All rows of what a statement finds: the statement is done when this returns. */
export function all<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...parameters: readonly SQLInputValue[]
): readonly Row[] {
  return statement.all(...parameters) as unknown as readonly Row[];
}

/**
 * Rows of what a statement finds, one by one, as long as `take` wants more: so that a long answer needn't fit into
 * memory to be cut short. The statement is done when this returns.
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
    // Also after an error: a statement left open would keep the write-ahead log from being reset.
    rows.return?.();
  }
}

/** The only value that a query of one row and column has. */
export function single<T>(database: DatabaseSync, sql: string): T {
  const row = one<[T]>(database.prepare(sql));
  if (row === undefined) throw new TypeError(`no row: ${sql}`);
  return row[0];
}
