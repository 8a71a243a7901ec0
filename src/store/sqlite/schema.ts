/**
 * The format of the file.
 *
 * An SQLite database in WAL mode. `PRAGMA application_id` is {@link APPLICATION_ID}, `PRAGMA user_version` the format,
 * counted from 1. All text is UTF-8, compared byte by byte (collation BINARY). Positions, versions and times are
 * integers below 2^53.
 *
 *     meta         one row for each setting.
 *                    generation   of the registry.
 *                    last         the last number that was given to a keying, definition, set or index.
 *                    attached     raised by each change of `attachments` that the end of the log doesn't show.
 *                    incomplete   only in the file of a new log: the write-ahead log removes it. So the file without its
 *                                 write-ahead log shows that it isn't the whole log (log-file.ts).
 *     names        the number of each event type, collection and command name; all other tables hold that number.
 *     keyings      the keyings of collections (../contract/registry.ts). `key` is JSON, `state` filling, live or retired.
 *     definitions  the definitions in use. `handled` is JSON, `keying` a name, `document_set` and `rebuilt` are numbers of sets,
 *                  `rebuild_note` is a text of the engine's.
 *     indexes      the indexes over stored documents. `fields` is JSON; `state` filling or live; `filled` an id.
 *     documents    the number of each document that has, or had, an event; `id` is its id, `collection` its keying's name.
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
 *     later        attachments of keyings that were filled after the events were stored, by event: the lists in `events` aren't
 *                  written again.
 *     sets         where each set of stored documents is: `position` and, 32 bytes, `hash`.
 *     stored       the stored documents; an id is unique in its set. `failed` says why one couldn't be folded further.
 *     entries      what the indexes hold: `key` as the engine made it, `document` is the number in `stored`.
 *     anchor       what the machine's clock is compared with (../clock.ts): one moment by that clock and by the time since the
 *                  machine started, in milliseconds, and which start. At most one row; not a part of the log.
 *
 * Rules that hold after every transaction (check.ts looks for each):
 *
 * 1. Positions in `events` are 1, 2, 3, … without gaps.
 * 2. Each event lies in exactly one commit: a commit's position is that of the one before plus its event_count.
 * 3. `attachments` has exactly the rows that the lists inline and `later` say; versions of a document are 1, 2, 3, … Of documents
 *    of a retired keying the last ones may be missing, but `later` never says more than `attachments` has.
 * 4. Every number has its row in `names` or `documents`.
 * 5. `types` has exactly the types of `events`.
 * 6. The tables are those that {@link MIGRATIONS} make, and no trigger changes what is written to them.
 * 7. Keys, handled types and fields in the registry are valid JSON of their kind; a definition's keying is there; a state is one
 *    of those above. No number is above `last`.
 * 8. `sets` has exactly the sets that the definitions name. Each is at an end of the log or within the commit after it, with the
 *    hash of that end.
 * 9. A stored document has a set that was given once, and a version not below `changed`. An entry's document is there, in the set
 *    of its index, and hasn't failed; an index has no other entry of it. (What has no set or no index any more may stay until it is swept.)
 *
 * Why a crash is safe: a batch is one transaction. In WAL mode its pages, with checksums, are appended to the write-ahead log
 * and flushed (`synchronous=FULL`) before COMMIT returns; after a crash the log ends at the last whole transaction. The file
 * itself is made in one rollback-journal transaction, with our mark on its first page, and set to WAL only then: at any crash
 * it has no bytes, or the mark and all tables (log-file.ts). Stored documents are written without a flush (`synchronous=NORMAL`):
 * a loss of power may undo the last of these transactions, each as a whole. The next commit of the log flushes them too, as all
 * are in one write-ahead log.
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

  CREATE TABLE keyings (
    name TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    definition INTEGER,
    state TEXT NOT NULL,
    filled INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE definitions (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    definition INTEGER NOT NULL,
    handled TEXT NOT NULL,
    keying TEXT NOT NULL,
    document_set INTEGER NOT NULL,
    rebuilt INTEGER,
    rebuild_note TEXT,
    used_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE indexes (
    number INTEGER PRIMARY KEY,
    document_set INTEGER NOT NULL,
    fields TEXT NOT NULL,
    state TEXT NOT NULL,
    filled TEXT,
    used_at INTEGER NOT NULL
  ) STRICT;

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

  CREATE TABLE later (
    position INTEGER NOT NULL,
    document INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (position, document)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sets (
    number INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL
  ) STRICT;

  CREATE TABLE stored (
    number INTEGER PRIMARY KEY,
    document_set INTEGER NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    failed TEXT,
    state TEXT NOT NULL,
    UNIQUE (document_set, id)
  ) STRICT;

  CREATE INDEX stored_failed ON stored (document_set, id) WHERE failed IS NOT NULL;

  CREATE TABLE entries (
    number INTEGER NOT NULL,
    key BLOB NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (number, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE anchor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    uptime_ms INTEGER NOT NULL,
    clock_ms INTEGER NOT NULL
  ) STRICT;

  INSERT INTO meta (name, value) VALUES ('generation', 0), ('last', 0), ('attached', 0);
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
