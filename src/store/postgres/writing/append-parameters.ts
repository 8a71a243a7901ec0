/**
 * What `append_v1` takes and answers: name, type and order of each parameter, said only here. The function's text, the
 * call, what is sent, tests and benchmarks are made from it.
 *
 * `names` and the documents hold each name and each document of the batch once. All other arrays point to these by their
 * places, counted from 1. The first `attached` documents have events attached to them; the others are only read.
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
  // The end of the log that was last seen, the registry's generation, and the store's clock (null: the database's own). A
  // decision whose time is more than `ahead_ms` ahead of that clock is refused.
  seen_position: 'bigint',
  seen_hash: 'bytea',
  generation: 'bigint',
  clock: 'bigint',
  ahead_ms: 'bigint',
  names: 'text[]',
  // An id is null where the document's number is known. Numbers and heads are as of the commit that ends at `known_position`
  // with `known_hash` (null: look them up). A number is right if the log holds that commit; a head if the log still ends there.
  document_collections: 'int[]',
  document_ids: 'text[]',
  known_position: 'bigint',
  known_hash: 'bytea',
  known_numbers: 'bigint[]',
  known_heads: 'bigint[]',
  attached: 'int',
  // Rows of `reads`; then pairs of a commit and a row, in the order of the commits: what each commit rests on, and what
  // becomes tainted for later commits if it falls (../../ground.ts).
  read_documents: 'int[]',
  read_versions: 'bigint[]',
  ground_commits: 'int[]',
  ground_reads: 'int[]',
  taint_commits: 'int[]',
  taint_reads: 'int[]',
  handled_collections: 'text[]',
  handled_types: 'text[]',
  // One value for each commit.
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
  // One value for each event. `event_offsets` are places in the commit, from 0; `event_lists` numbers the events that are
  // attached to anything, and is 0 for the others.
  event_commits: 'int[]',
  event_offsets: 'int[]',
  event_types: 'int[]',
  schema_versions: 'bigint[]',
  jsons: 'text[]',
  event_lists: 'int[]',
  // One value for each attachment. A step is its place among the batch's attachments to the same document.
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
  // For each document, before the batch. A number is null if there is no such document.
  heads: 'bigint[]',
  document_numbers: 'bigint[]',
  // The hashes of the commits that stand, joined.
  hashes: 'bytea',
  // Rows of `reads`, and the events that were missed of each; then commits.
  stale: 'int[]',
  stale_events: 'json',
  duplicates: 'int[]',
  fallen: 'int[]',
  // What the clock said when it was read.
  now: 'bigint',
} as const);

/** How each type is sent, and what it is in JavaScript. A list that is the same from batch to batch may be given encoded. */
const SENT = {
  uuid: (given: string): Parameter => given,
  text: (given: string | undefined): Parameter => given ?? null,
  int: (given: number): Parameter => String(given),
  bigint: (given: number | undefined): Parameter => (given === undefined ? null : String(given)),
  bytea: (given: string | undefined): Parameter => (given === undefined ? null : Buffer.from(given, 'hex')),
  'int[]': int4s,
  'smallint[]': int2s,
  'bigint[]': int8sOrNull,
  'boolean[]': booleans,
  'bytea[]': hashes,
  'text[]': (given: readonly (string | undefined)[] | Buffer): Parameter =>
    Buffer.isBuffer(given) ? given : textsOrNull(given as readonly (string | undefined)[]),
};

type Takes = typeof APPEND_TAKES;

/** A value for each parameter. Hashes are hexadecimal digits, as everywhere. */
export type AppendValues = { readonly [Name in keyof Takes]: Parameters<(typeof SENT)[Takes[Name]]>[0] };
/** The answer, each column as text. */
export type AppendAnswer = Readonly<Record<keyof typeof APPEND_ANSWERS, Value>>;

const NAMES = Object.keys(APPEND_TAKES) as readonly (keyof Takes)[];
const ANSWERS = Object.keys(APPEND_ANSWERS) as readonly (keyof AppendAnswer)[];
// Looked up once, as it is used for every batch.
const TAKES = NAMES.map((name) => ({ name, send: SENT[APPEND_TAKES[name]] as (given: unknown) => Parameter }));

/** The place of each among the parameters that are sent. */
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

/** The parameters in the function's declaration. */
export const appendDeclaration = [
  ...Object.entries(APPEND_TAKES).map(([name, type]) => `${name} ${type}`),
  'log uuid',
  ...Object.entries(APPEND_ANSWERS).map(([name, type]) => `OUT ${name} ${type}`),
].join(', ');

/** The statement that calls the function, with the log's id after the other parameters. */
export function appendCall(schema: string): string {
  // How PostgreSQL itself shows a bytea depends on a setting.
  const columns = ANSWERS.map((name) =>
    APPEND_ANSWERS[name] === 'bytea' ? `pg_catalog.encode(${name}, 'hex')` : name,
  );
  return call(schema, 'append_v1', NAMES.length, columns.join(', '));
}
