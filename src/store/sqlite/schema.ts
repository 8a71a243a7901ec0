/**
 * The format of the file.
 *
 * An SQLite database in WAL mode. `PRAGMA application_id` is {@link APPLICATION_ID}, `PRAGMA user_version` the format,
 * counted from 1. All text is UTF-8, compared byte by byte (collation BINARY). Positions, versions and times are
 * integers below 2^53.
 *
 *     meta         one row for each setting: `generation` (of the registry of collections).
 *                    incomplete   only in the file of a new log: the write-ahead log removes it. So the file without its
 *                                 write-ahead log shows that it isn't the whole log (log-file.ts).
 *     names        the number of each event type, collection and command name; all other tables hold that number.
 *     registry     the registered collections: definition, the key as declared and the handled types (both JSON).
 *     documents    the number of each document that has at least one event; `id` is its id in its collection.
 *     commits      the hash chain and the ledger, one row for each command. `position` is that of the first event.
 *                    attempt   0 for a final outcome, else the position: the unique key (command_id, attempt) allows a
 *                              command id one final outcome (law 1) and any number before it.
 *                    outcome   0 succeeded, 1 failed.
 *                    hash      the chain's hash after the commit (docs/reference/hash-chain.md), 32 bytes.
 *     events       the log, one row for each event.
 *                    time         of the decision, as in the commit: a fold needs no other row.
 *                    attachments  JSON: [document, version, document, version, …] in the order appended.
 *     types        the event types that the log has ever held, one row each.
 *                    position   of the first event.
 *                    succeeded  position of the first event in a commit that succeeded; null if there is none.
 *     attachments  which events a document has: the index of `events.attachments` by document. The last row of a
 *                  document is its head, so appending only inserts.
 *     anchor       what the machine's clock is compared with (../clock.ts): one moment by that clock and by the time since the
 *                  machine started, in milliseconds, and which start. At most one row; not a part of the log.
 *
 * Rules that hold after every transaction (check.ts looks for each):
 *
 * 1. Positions in `events` are 1, 2, 3, … without gaps.
 * 2. Each event lies in exactly one commit: a commit's position is that of the one before plus its event_count.
 * 3. `attachments` has exactly the rows that the lists inline say; versions of a document are 1, 2, 3, …
 * 4. Every number has its row in `names` or `documents`.
 * 5. `types` has exactly the types of `events`.
 * 6. The tables are those that {@link MIGRATIONS} make, and no trigger changes what is written to them.
 *
 * Why a crash is safe: a batch is one transaction. In WAL mode its pages, with checksums, are appended to the write-ahead log
 * and flushed (`synchronous=FULL`) before COMMIT returns; after a crash the log ends at the last whole transaction. The file
 * itself is made in one rollback-journal transaction, with our mark on its first page, and set to WAL only then: at any crash
 * it has no bytes, or the mark and all tables (log-file.ts).
 *
 * A later format adds an entry to {@link MIGRATIONS}. Entries are never changed, and run in one transaction under the write
 * lock: of two starting processes one migrates. A session reads the format in each of its transactions, and stops in a file of
 * a later one.
 */
import { DatabaseSync } from 'node:sqlite';
import { FINDING } from '../findings.ts';
import { all, single } from './connecting/connection.ts';

/** 'Tide' in ASCII. */
export const APPLICATION_ID = 0x54_69_64_65;

/** `MIGRATIONS[n]` makes format n + 1 out of format n. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE names (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE registry (
    name TEXT PRIMARY KEY,
    definition INTEGER NOT NULL,
    key TEXT NOT NULL,
    handled TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    id TEXT NOT NULL,
    UNIQUE (collection, id)
  ) STRICT;

  CREATE TABLE commits (
    position INTEGER PRIMARY KEY,
    event_count INTEGER NOT NULL,
    command_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    name INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    actor TEXT,
    correlation TEXT,
    causation TEXT,
    outcome INTEGER NOT NULL,
    reason TEXT,
    details TEXT,
    time INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (command_id, attempt)
  ) STRICT;

  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    type INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    time INTEGER NOT NULL,
    attachments TEXT NOT NULL,
    json TEXT NOT NULL
  ) STRICT;

  CREATE TABLE types (
    type INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    succeeded INTEGER
  ) STRICT;

  CREATE TABLE attachments (
    document INTEGER NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    type INTEGER NOT NULL,
    PRIMARY KEY (document, version)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE anchor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    uptime_ms INTEGER NOT NULL,
    clock_ms INTEGER NOT NULL
  ) STRICT;

  INSERT INTO meta (name, value) VALUES ('generation', 0);
  `,
];

/** The format that this code reads and writes. */
export const FORMAT = MIGRATIONS.length;

export type Marks = { readonly applicationId: number; readonly format: number; readonly empty: boolean };

export function marks(database: DatabaseSync): Marks {
  const number = (sql: string): number => single<number>(database, sql);
  return {
    applicationId: number('PRAGMA application_id'),
    format: number('PRAGMA user_version'),
    empty: number('SELECT count(*) FROM sqlite_schema') === 0,
  };
}

/** In the file of a new log: its commits are elsewhere (see above). */
export const MARK_INCOMPLETE = "INSERT OR IGNORE INTO meta (name, value) VALUES ('incomplete', 1)";
export const UNMARK_INCOMPLETE = "DELETE FROM meta WHERE name = 'incomplete'";

/** Whether the file, or the log, says that it is incomplete. */
export function isIncomplete(database: DatabaseSync): boolean {
  return single<number>(database, "SELECT count(*) FROM meta WHERE name = 'incomplete'") > 0;
}

/** Runs the migrations from `format` on. Only in a transaction that holds the write lock. */
export function migrate(database: DatabaseSync, format: number): void {
  if (format === FORMAT) return;
  for (const sql of MIGRATIONS.slice(format)) database.exec(sql);
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`);
}

export type Part = readonly [type: string, name: string, table: string, sql: string | null];

/** Gives the {@link Part}s of a database. */
export const PARTS = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name';

/** What is missing or different: a table without its key would allow a command id two outcomes. */
export function schemaFindings(found: readonly Part[]): readonly string[] {
  const model = new DatabaseSync(':memory:', { returnArrays: true });
  try {
    for (const sql of MIGRATIONS) model.exec(sql);
    const expected = all<Part>(model.prepare(PARTS));
    const tables = new Set(expected.map(([, , table]) => table));
    const lacking = expected.filter((part) => !found.some((one) => part.every((value, n) => value === one[n])));
    const triggers = found.filter(([type, , table]) => type === 'trigger' && tables.has(table));
    return [
      ...lacking.map(([type, name]) => `The ${type} ${name} is missing, or was made otherwise.`),
      ...triggers.map(([, name, table]) => FINDING.trigger(table, name)),
    ];
  } finally {
    model.close();
  }
}
