/**
 * The format of the log: one schema of a database, with nothing else in it. All text is UTF-8, compared byte by byte
 * (collation "C"). Positions, versions and times are below 2^53.
 *
 *     migrations   one row for each format: whether it is `breaking`, and when it was made.
 *     log          one row: the log's own id, random, and the schema that its functions name (functions.ts).
 *     meta         one row for each setting: `generation` (of the registry of collections).
 *     names        event types, collection and command names, each with its number.
 *     registry     the registered collections: definition, the key as declared and the types that are handled (JSON both).
 *     documents    documents that have at least one event, each with its number.
 *     commits      the hash chain and the ledger, one row for each command. `position` is that of the first event.
 *                    attempt   0 for a final outcome, else the position: so the unique key (command_id, attempt) lets a
 *                              command id have one final outcome (law 1) and any number of others before it.
 *                    outcome   0 succeeded, 1 failed.
 *                    hash      the chain's hash after the commit (docs/reference/hash-chain.md), 32 bytes.
 *     events       the log, one row for each event.
 *                    time         of the decision, as in the commit, so that a fold needs no other row.
 *                    attachments  document,version,document,version,… in the order appended.
 *     types        the event types that the log has ever held, so that nobody must search the log for them.
 *                    position   of the first event.
 *                    succeeded  position of the first event in a commit that succeeded; null if there is none.
 *     attachments  which events a document has: the index of `events.attachments` by document. The last row of a
 *                  document is its head, so appending only inserts.
 *     fences       sessions whose earlier appends must not be stored any more (fence.ts). Rows are removed after a day.
 *     write_lock   never has a row: it is there to be locked (lock.ts).
 *
 *     append_v1    stores a batch (append-v1.ts).       register_v1, fence_v1   the other writes.
 *     lock_v1      takes the write lock for work of several statements.
 *     The other functions read, one statement each, for every role that may read the tables.
 *
 * Rules that hold after every transaction (check.ts looks for each):
 *
 * 1. Positions in `events` are 1, 2, 3, … without gaps. They are the primary key and come from no sequence: so two appends
 *    could not both be stored even if the lock failed.
 * 2. Each event lies in exactly one commit: a commit's position is that of the one before plus its event_count.
 * 3. `attachments` has exactly the rows that `events.attachments` lists; versions of a document are 1, 2, 3, …
 * 4. Every number of a name or document has its row in `names` or `documents`.
 * 5. `types` has exactly the types of `events`. (Events that were removed, once that is possible, keep their row.)
 *
 * Functions that write run with the rights of their owner (SECURITY DEFINER), with a search path of pg_catalog alone and
 * every other name qualified. So the role of a server needs no right to insert, change or delete: somebody who breaks into
 * an application can add to the log, but not rewrite it (grants.ts).
 *
 * Why a crash is safe: a batch is one statement and one transaction, and PostgreSQL answers after its commit record is on
 * stable storage.
 *
 * A later format adds an entry to {@link MIGRATIONS}; entries are never changed. If older code can still use the log, the
 * format isn't `breaking`: new functions have names of a new version (`append_v2`), and the old ones stay. After a `breaking`
 * one, all functions of earlier formats refuse to read and to write (functions.ts, lock.ts).
 */
import { appendV1 } from './writing/append-v1.ts';
import { COMMITS } from './reading/commits.ts';
import { DOCUMENTS } from './reading/documents.ts';
import { fenceV1, lockV1 } from './writing/lock.ts';
import { readingFunction } from './functions.ts';
import { LOADING } from './reading/load.ts';
import { READING } from './reading/read.ts';
import { registerV1 } from './writing/register-v1.ts';
import { REGISTRY } from './writing/registry.ts';
import { TYPES } from './reading/types.ts';
import { SCANNING } from './reading/scan.ts';
import { tables } from './tables.ts';

export interface Migration {
  /** Code that doesn't know this format must not use the log any more. */
  readonly breaking: boolean;
  /** Statements for a schema, whose name is quoted. */
  readonly sql: (schema: string) => string;
}

/** All functions of a log in this schema; they replace what was there before. */
export const functions = (schema: string): string => {
  const readings = [...LOADING, ...READING, ...SCANNING, ...COMMITS, ...DOCUMENTS, ...REGISTRY, ...TYPES];
  const reading = readings.map((one) => readingFunction(one, 1));
  return [appendV1, registerV1, fenceV1, lockV1, ...reading, closedFunctions].map((sql) => sql(schema)).join('\n');
};

/** Functions that write run with the rights of their owner, so only roles that are granted them may call them. */
const closedFunctions = (schema: string): string =>
  ['append_v1', 'register_v1', 'fence_v1', 'lock_v1']
    .map((name) => `REVOKE ALL ON FUNCTION ${schema}.${name} FROM PUBLIC;`)
    .join('\n');

/** `MIGRATIONS[n]` makes format n + 1 out of format n. */
export const MIGRATIONS: readonly Migration[] = [
  { breaking: true, sql: (schema) => `${tables(schema)}\n${functions(schema)}` },
];

/** The format that this code reads and writes. */
export const FORMAT = MIGRATIONS.length;

/** A name as it stands in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
