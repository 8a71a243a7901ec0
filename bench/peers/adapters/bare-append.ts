/**
 * The bare client: calls Tidemark's own `append_v1` with batches that were made beforehand, one after the other on one
 * connection. The rows are those that Tidemark would write; nothing is decided, folded, hashed or kept in a cache.
 */
import pg from 'pg';
import { postgres } from '../../../src/store/postgres/index.ts';
import { answerOf, APPEND_PLACES, appendCall } from '../../../src/store/postgres/writing/append-parameters.ts';
import { nameOf } from '../load.ts';
import { countInPostgres } from '../count.ts';
import type { Done, Peer, Shop, Work } from '../peer.ts';
import { prepare } from './bare-batches.ts';
import { seedShop } from './tidemark.ts';

const {
  seen_position: SEEN_POSITION,
  seen_hash: SEEN_HASH,
  known_position: KNOWN_POSITION,
  known_hash: KNOWN_HASH,
} = APPEND_PLACES;
const SCHEMA = '"tidemark"';
const AS_TEXT = { getTypeParser: () => (value: string) => value };

export const peer = bare(
  false,
  'append_v1 with batches made beforehand, of the size that Tidemark has just made; the database looks for each document',
);

/** Tells numbers and heads of documents if `told`, as Tidemark does of those that it has met. */
export function bare(told: boolean, setup: string): Peer {
  return {
    packages: ['pg'],
    setup,
    seed: (url, services) => seedShop(postgres(url), services),
    open: (url) => openBare(url, told),
    count: (url) => countInPostgres(url, 'tidemark.events'),
  };
}

async function openBare(url: string, told: boolean): Promise<Shop> {
  const client = new pg.Client({ connectionString: url, keepAlive: true });
  await client.connect();
  return {
    buy: () => Promise.reject(new Error('The bare client makes batches.')),
    run: (work) => run(client, work, told),
    close: () => client.end(),
  };
}

async function run(client: pg.Client, work: Work, told: boolean): Promise<Done> {
  const { callers, warmMs, ms } = work;
  const group = Math.max(1, Math.round(work.group ?? callers));
  const { batches, log } = await prepare(client, work, group, told);
  const append = appendCall(SCHEMA);
  let seen = await end(client);
  const latencies: number[] = [];
  const errors: Record<string, number> = {};
  let acknowledged = 0;
  let counted = 0;
  const start = performance.now() + warmMs;
  const over = start + ms;
  let used = process.cpuUsage();
  let began = performance.now();
  let last = began;
  for (const parameters of batches) {
    // All that can't be known beforehand.
    [parameters[SEEN_POSITION], parameters[SEEN_HASH]] = [seen.position, seen.hash];
    if (parameters[KNOWN_POSITION] !== null)
      [parameters[KNOWN_POSITION], parameters[KNOWN_HASH]] = [seen.position, seen.hash];
    const asked = performance.now();
    if (asked >= over) break;
    if (began < start && asked >= start) [used, began] = [process.cpuUsage(), asked];
    let hashes: string;
    let before: number;
    try {
      const query = { text: append, values: [...parameters, log], rowMode: 'array', types: AS_TEXT } as const;
      const answer = answerOf((await client.query<(string | null)[]>(query)).rows[0]!);
      if (answer.status !== 'stored') throw new Error(`append_v1 answers ${answer.status}`);
      hashes = answer.hashes!;
      before = Number(answer.end_position);
    } catch (error) {
      errors[nameOf(error)] = 1;
      break;
    }
    seen = { position: String(before + group), hash: Buffer.from(hashes.slice(-64), 'hex') };
    last = performance.now();
    acknowledged += group;
    if (last < start || last >= over) continue;
    counted += group;
    latencies.push(last - asked);
  }
  const { user, system } = process.cpuUsage(used);
  return {
    commands: counted,
    latencies: Float64Array.from(latencies),
    seconds: (Math.min(last, over) - start) / 1_000,
    errors,
    acknowledged,
    failed: Object.keys(errors).length,
    unanswered: 0,
    group,
    busy: (user + system) / 1_000 / (last - began),
  };
}

async function end(client: pg.Client): Promise<{ position: string; hash: Buffer }> {
  const answer = await client.query<{ position: string; hash: Buffer }>(
    'SELECT position + event_count - 1 AS position, hash FROM tidemark.commits ORDER BY commits.position DESC LIMIT 1',
  );
  return answer.rows[0]!;
}
