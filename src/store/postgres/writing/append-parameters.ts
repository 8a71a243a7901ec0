/**
 * What `append_v1` takes and answers: name, type and order of each parameter, said here alone. The function's text, the
 * call, what is sent, tests and benchmarks are made of it.
 *
 * The caller has interned the batch: `names` and the documents hold each name and document once, and all the other arrays
 * point into them, counted from 1. The documents that events are attached to come first, `attached` of them; after them
 * those that are only read.
 */
import { Buffer } from 'node:buffer';
import { booleans, hashes, int2s, int4s, int8sOrNull, textsOrNull } from '../arrays.ts';
import type { Parameter, Row, Value } from '../connecting/connection.ts';
import { call } from '../functions.ts';

export const APPEND_TAKES = Object.freeze({
  // Who appends, how long it waits for the lock, and what its commit waits for (null: what the server is set to).
  session: 'uuid',
  fence: 'bigint',
  lock_timeout: 'text',
  durability: 'text',
  // The end of the log that was last seen, the registry's generation, and the store's clock (null: the database's own). What
  // is decided further ahead of it than `ahead_ms` is refused.
  seen_position: 'bigint',
  seen_hash: 'bytea',
  generation: 'bigint',
  clock: 'bigint',
  ahead_ms: 'bigint',
  names: 'text[]',
  // An id is null where the document's number is known. Numbers and heads are as of the commit that ends at `known_position`
  // with `known_hash` (null: look them up). A number never changes, so it holds if the log holds that commit; a head holds if
  // the log still ends there.
  document_collections: 'int[]',
  document_ids: 'text[]',
  known_position: 'bigint',
  known_hash: 'bytea',
  known_numbers: 'bigint[]',
  known_heads: 'bigint[]',
  attached: 'int',
  // Rows of `reads`; then pairs of a commit and a row, both in the order of the commits: what each commit rests on, and what
  // falls for those after it if it falls (../../ground.ts).
  read_documents: 'int[]',
  read_versions: 'bigint[]',
  ground_commits: 'int[]',
  ground_reads: 'int[]',
  taint_commits: 'int[]',
  taint_reads: 'int[]',
  handled_collections: 'text[]',
  handled_types: 'text[]',
  // One of each a commit.
  command_ids: 'text[]',
  command_names: 'int[]',
  fingerprints: 'bytea[]',
  actors: 'text[]',
  correlations: 'text[]',
  causations: 'text[]',
  outcomes: 'smallint[]',
  finals: 'boolean[]',
  reasons: 'text[]',
  details: 'text[]',
  times: 'bigint[]',
  event_counts: 'int[]',
  digests: 'bytea[]',
  // One of each an event. `event_offsets` are places in the commit, from 0; `event_lists` counts the events that are attached
  // to anything, 0 for the others.
  event_commits: 'int[]',
  event_offsets: 'int[]',
  event_types: 'int[]',
  schema_versions: 'bigint[]',
  jsons: 'text[]',
  event_lists: 'int[]',
  // One of each an attachment. A step is its place among the batch's attachments of its document.
  attachment_events: 'int[]',
  attachment_documents: 'int[]',
  attachment_steps: 'bigint[]',
} as const);

export const APPEND_ANSWERS = Object.freeze({
  status: 'text',
  // The end of the log before the batch.
  end_position: 'bigint',
  end_hash: 'bytea',
  end_recorded_at: 'bigint',
  // Of each document, before the batch. A number is null if there is no such document.
  heads: 'bigint[]',
  document_numbers: 'bigint[]',
  // One after the other, of the commits that stand.
  hashes: 'bytea',
  // Rows of `reads`, and what was missed of each; then commits.
  stale: 'int[]',
  stale_events: 'json',
  duplicates: 'int[]',
  fallen: 'int[]',
  // What the clock said.
  now: 'bigint',
} as const);

/** What JavaScript gives for a parameter of each type. A list that is the same from batch to batch may be given encoded. */
interface Given {
  readonly uuid: string;
  readonly text: string | undefined;
  readonly int: number;
  readonly bigint: number | undefined;
  readonly bytea: string | undefined;
  readonly 'int[]': readonly number[];
  readonly 'smallint[]': readonly number[];
  readonly 'bigint[]': readonly (number | undefined)[];
  readonly 'boolean[]': readonly boolean[];
  readonly 'bytea[]': readonly string[];
  readonly 'text[]': readonly (string | undefined)[] | Buffer;
}

const SENT: { readonly [T in keyof Given]: (given: Given[T]) => Parameter } = {
  uuid: (given) => given,
  text: (given) => given ?? null,
  int: String,
  bigint: (given) => (given === undefined ? null : String(given)),
  bytea: (given) => (given === undefined ? null : Buffer.from(given, 'hex')),
  'int[]': int4s,
  'smallint[]': int2s,
  'bigint[]': int8sOrNull,
  'boolean[]': booleans,
  'bytea[]': hashes,
  'text[]': (given) => (Buffer.isBuffer(given) ? given : textsOrNull(given as readonly (string | undefined)[])),
};

type Takes = typeof APPEND_TAKES;

/** A value for each parameter. Hashes are hexadecimal digits, as everywhere. */
export type AppendValues = { readonly [Name in keyof Takes]: Given[Takes[Name]] };
/** The answer, each column as text. */
export type AppendAnswer = Readonly<Record<keyof typeof APPEND_ANSWERS, Value>>;

const NAMES = Object.keys(APPEND_TAKES) as readonly (keyof Takes)[];
const ANSWERS = Object.keys(APPEND_ANSWERS) as readonly (keyof AppendAnswer)[];
// Looked up once: this runs for every batch.
const TAKES = NAMES.map((name) => ({ name, send: SENT[APPEND_TAKES[name]] as (given: unknown) => Parameter }));

/** Where each stands among the parameters that are sent. */
export const APPEND_PLACES = Object.freeze(
  Object.fromEntries(NAMES.map((name, place) => [name, place])) as Record<keyof Takes, number>,
);

/** The parameters as they are sent, in their order. */
export function appendParameters(values: AppendValues): Parameter[] {
  return TAKES.map(({ name, send }) => send(values[name]));
}

/** Reads a row of {@link appendCall}. */
export function answerOf(row: Row): AppendAnswer {
  return Object.fromEntries(ANSWERS.map((name, index) => [name, row[index]!])) as AppendAnswer;
}

/** The parameters as the function declares them. */
export const appendDeclaration = [
  ...Object.entries(APPEND_TAKES).map(([name, type]) => `${name} ${type}`),
  'log uuid',
  ...Object.entries(APPEND_ANSWERS).map(([name, type]) => `OUT ${name} ${type}`),
].join(', ');

/** The statement that calls the function, with the log's id after the other parameters. */
export function appendCall(schema: string): string {
  // How PostgreSQL shows a bytea by itself is a setting.
  const columns = ANSWERS.map((name) =>
    APPEND_ANSWERS[name] === 'bytea' ? `pg_catalog.encode(${name}, 'hex')` : name,
  );
  return call(schema, 'append_v1', NAMES.length, columns.join(', '));
}
