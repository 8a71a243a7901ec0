/**
 * The format of the log: one schema of a database, with nothing else in it. All text is UTF-8, compared byte by byte
 * (collation "C"). Positions, versions and times are below 2^53.
 *
 *     migrations   one row for each format: whether it is `breaking`, and when it was made.
 *     log          one row: the log's own id, random, and the schema that its functions name (functions.ts).
 *     meta         one row for each setting: the registry's `generation`, and the `last` number given in it.
 *     names        event types, command names and names of keyings, each with its number.
 *     keyings      for which documents events are attached: the key as declared (JSON), and how far it has come.
 *                    filled   up to this position events were attached after they were stored.
 *                    unswept  of a retired one: its documents with ids above it may still have attachments; null: none has.
 *     definitions  the definitions in use: the types that are handled (JSON), the keying, the set of stored documents.
 *     indexes      over the documents of a set: the fields (JSON). `filled`: the id that filling has come to.
 *     documents    documents that have at least one event, each with its number. (Those of a retired keying keep their row.)
 *     commits      the hash chain and the ledger, one row for each command. `position` is that of the first event.
 *                    attempt   0 for a final outcome, else the position: so the unique key (command_id, attempt) lets a
 *                              command id have one final outcome (law 1) and any number of others before it.
 *                    outcome   0 succeeded, 1 failed.
 *                    hash      the chain's hash after the commit (docs/reference/hash-chain.md), 32 bytes.
 *     events       the log, one row for each event.
 *                    time         of the decision, as in the commit, so that a fold needs no other row.
 *                    attachments  document,version,document,version,… in the order appended; never changed.
 *     types        the event types that the log has ever held, so that nobody must search the log for them.
 *                    position   of the first event.
 *                    succeeded  position of the first event in a commit that succeeded; null if there is none.
 *     attachments  which events a document has: the index of `events.attachments` and `later` by document. The last row of a
 *                  document is its head, so appending only inserts.
 *     later        attachments of keyings that were filled later: those that `events.attachments` doesn't have (later.ts).
 *     sets         the sets of stored documents that definitions have: the place that a set's documents are as of, and the
 *                  registry's generation once more (change-v1.ts).
 *     stored       stored documents, by set and id (UTF-8). What no set in `sets` has is left for the sweep.
 *                    state    JSON, as it was given: text, as jsonb would give it back in another order.
 *                    changed  the version that its last handled event made.
 *                    failed   why it couldn't be folded further; else null.
 *     entries      of indexes: a key, made by the engine, and the document's id. Keys are compared byte by byte, and an entry
 *                  has at most about 2,600 bytes: a row of an index must fit three times into a page.
 *     fences       sessions whose earlier appends must not be stored any more (fence.ts). Rows are removed after a day.
 *     write_lock   never has a row: it is there to be locked (lock.ts).
 *
 *     append_v1       stores a batch (append-v1.ts).
 *     lock_v1         takes the write lock for work of several statements. For such work are change_v1 (registry.ts), attach_v1
 *                     (attach.ts), and hold_set_v1 and fill_index_v1 (sets.ts).
 *     advance_v1      moves a set on (sets.ts), sweep_v1 removes what isn't needed (sweep.ts): both without the write lock.
 *     fence_v1        turns away late appends (fence.ts).
 *     The other functions read, one statement each, for every role that may read the tables.
 *
 * Rules that hold after every transaction (check.ts looks for each):
 *
 * 1. Positions in `events` are 1, 2, 3, … without gaps. They are the primary key and come from no sequence: so two appends
 *    could not both be stored even if the lock failed.
 * 2. Each event lies in exactly one commit: a commit's position is that of the one before plus its event_count.
 * 3. `attachments` has exactly the rows that `events.attachments` lists and those in `later`, none of them in both; versions of a
 *    document are 1, 2, 3, … Rows of retired keyings may be missing, a document's last ones first.
 * 4. Every number of a name or document has its row in `names` or `documents`.
 * 5. `types` has exactly the types of `events`. (Events that were removed, once that is possible, keep their row.)
 * 6. `sets` has exactly the sets of `definitions`, each of the registry's generation, and at a place that the log holds: the hash
 *    is that of the last commit that ends there or before.
 * 7. Every definition has its keying. Keys, types and fields can be read. No number is above `last`.
 * 8. The document of an entry is stored, and hasn't failed; an index has no other entry of it. Versions of stored documents are from 1, none changed above.
 *
 * Functions that write run with the rights of their owner (SECURITY DEFINER), with a search path of pg_catalog alone and
 * every other name qualified. So the role of a server needs no right to insert, change or delete: somebody who breaks into
 * an application can add to the log, but not rewrite it (grants.ts).
 *
 * Why a crash is safe: a batch is one statement and one transaction, and PostgreSQL answers after its commit record is on
 * stable storage. A step of a set is one too, and may be lost: then set, documents and entries are as they were before it.
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
import { attachV1 } from './writing/attach.ts';
import { changeV1 } from './writing/change-v1.ts';
import { REGISTRY } from './writing/registry.ts';
import { advanceV1, fillIndexV1, holdSetV1 } from './writing/sets.ts';
import { STORED } from './reading/stored.ts';
import { sweepV1 } from './upkeep/sweep.ts';
import { TYPES } from './reading/types.ts';
import { SCANNING } from './reading/scan.ts';
import { tables } from './tables.ts';

export interface Migration {
  /** Code that doesn't know this format must not use the log any more. */
  readonly breaking: boolean;
  /** Statements for a schema, whose name is quoted. */
  readonly sql: (schema: string) => string;
}

const WRITING = [
  { name: 'append_v1', make: appendV1 },
  { name: 'fence_v1', make: fenceV1 },
  { name: 'lock_v1', make: lockV1 },
  { name: 'change_v1', make: changeV1 },
  { name: 'attach_v1', make: attachV1 },
  { name: 'advance_v1', make: advanceV1 },
  { name: 'hold_set_v1', make: holdSetV1 },
  { name: 'fill_index_v1', make: fillIndexV1 },
  { name: 'sweep_v1', make: sweepV1 },
] as const;

/** All functions of a log in this schema; they replace what was there before. */
export const functions = (schema: string): string => {
  const readings = [...LOADING, ...READING, ...SCANNING, ...COMMITS, ...DOCUMENTS, ...REGISTRY, ...TYPES, ...STORED];
  const reading = readings.map((one) => readingFunction(one, 1));
  const writing = WRITING.map(({ make }) => make);
  return [...writing, ...reading, closedFunctions].map((sql) => sql(schema)).join('\n');
};

/** Functions that write run with the rights of their owner, so only roles that are granted them may call them. */
const closedFunctions = (schema: string): string =>
  WRITING.map(({ name }) => `REVOKE ALL ON FUNCTION ${schema}.${name} FROM PUBLIC;`).join('\n');

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
