/**
 * The bare client: calls Tidemark's own `append_v1` with batches that were made beforehand, one after the other on one
 * connection. The rows are those that Tidemark would write; nothing is decided, folded, hashed or kept in a cache. What is
 * left between it and Tidemark is what the engine costs.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { postgres } from '../../../src/store/postgres/index.ts';
import { encoded } from '../../../src/store/postgres/encode.ts';
import { nameOf } from '../load.ts';
import { countInPostgres } from '../count.ts';
import { PRICE, buyerId, serviceId, type Done, type Peer, type Shop, type Work } from '../peer.ts';
import { seedShop } from './tidemark.ts';

const PARAMETERS = Array.from({ length: 37 }, (_, index) => `$${index + 1}`).join(', ');
const APPEND = `SELECT status, end_position, end_recorded_at, end_hash, heads, hashes, stale, stale_events, to_json(duplicates)
  FROM tidemark.append_v1(${PARAMETERS})`;
const LOCK_TIMEOUT_MS = '5000';
/** Where the end of the log as last seen stands among the parameters: the only ones that can't be known beforehand. */
const SEEN_POSITION = 4;
const SEEN_HASH = 5;
const AS_TEXT = { getTypeParser: () => (value: string) => value };
const STRIDE = 7_919;
/** More than can be written in a millisecond: so that what was made beforehand doesn't run out. */
const COMMANDS_PER_MS = 60;
/** And of calls. */
const CALLS_PER_MS = 6;

const HANDLED = new Map([
  ['services', new Set(['SERVICE_CREATED', 'SERVICE_BOUGHT'])],
  ['users', new Set(['SERVICE_BOUGHT'])],
]);
const HASHES = Array.from({ length: 1_024 }, () => randomBytes(32).toString('hex'));

type Parameters = (Buffer | string | null)[];

export const peer: Peer = {
  packages: ['pg'],
  setup: 'append_v1 with batches made beforehand, of the size that Tidemark has just made',
  seed: (url, services) => seedShop(postgres(url), services),
  open: openBare,
  count: (url) => countInPostgres(url, 'tidemark.events'),
};

async function openBare(url: string): Promise<Shop> {
  const client = new pg.Client({ connectionString: url, keepAlive: true });
  await client.connect();
  return {
    buy: () => Promise.reject(new Error('The bare client makes batches.')),
    run: (work) => run(client, work),
    close: () => client.end(),
  };
}

async function run(client: pg.Client, work: Work): Promise<Done> {
  const { callers, warmMs, ms } = work;
  const group = Math.max(1, Math.round(work.group ?? callers));
  const batches = await prepare(client, work, group);
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
    parameters[SEEN_POSITION] = seen.position;
    parameters[SEEN_HASH] = seen.hash;
    const asked = performance.now();
    if (asked >= over) break;
    if (began < start && asked >= start) [used, began] = [process.cpuUsage(), asked];
    let row: readonly (string | null)[];
    try {
      const query = { text: APPEND, values: parameters, rowMode: 'array', types: AS_TEXT } as const;
      row = (await client.query<(string | null)[]>(query)).rows[0]!;
      if (row[0] !== 'stored') throw new Error(`append_v1 answers ${row[0]}`);
    } catch (error) {
      errors[nameOf(error)] = 1;
      break;
    }
    seen = { position: String(Number(row[1]) + group), hash: Buffer.from(row[5]!.slice(-64), 'hex') };
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

/** Batches with the versions that documents will have when their turn comes: nobody else writes. */
async function prepare(client: pg.Client, work: Work, group: number): Promise<Parameters[]> {
  const heads = await headsOf(client);
  const generation = await client.query<{ value: string }>("SELECT value FROM tidemark.meta WHERE name = 'generation'");
  const session = randomUUID();
  const latest = Date.now() + 60_000;
  const length = Math.ceil((work.warmMs + work.ms) * Math.min(COMMANDS_PER_MS / group, CALLS_PER_MS));
  let n = work.from;
  return Array.from({ length }, () => {
    const now = Date.now();
    const touched: string[] = [];
    const reads = new Map<string, number>();
    const commits = Array.from({ length: group }, () => {
      n += 1;
      const service_id = serviceId(work.hot ?? (n * STRIDE) % work.services);
      const buyer_id = buyerId(n * STRIDE);
      touched.push(`services ${service_id}`, `users ${buyer_id}`);
      if (!reads.has(service_id)) reads.set(service_id, heads.get(`services ${service_id}`) ?? 0);
      return {
        command: { id: commandId(now, n), name: 'BUY_SERVICE', fingerprint: HASHES[n % 1_024]! },
        outcome: 'succeeded' as const,
        final: true,
        time: now,
        events: [
          {
            type: 'SERVICE_BOUGHT',
            schemaVersion: 1,
            json: JSON.stringify({ service_id, buyer_id, price: PRICE }),
            attachments: [
              { collection: 'services', id: service_id },
              { collection: 'users', id: buyer_id },
            ],
          },
        ],
        digest: HASHES[(n * 31) % 1_024]!,
      };
    });
    for (const document of touched) heads.set(document, (heads.get(document) ?? 0) + 1);
    const sent = encoded(
      {
        seen: { position: 0, hash: HASHES[0]! },
        generation: Number(generation.rows[0]!.value),
        handled: HANDLED,
        reads: Array.from(reads, ([id, version]) => ({ collection: 'services', id, version })),
        commits,
      },
      latest,
    );
    return [session, '0', LOCK_TIMEOUT_MS, null, ...sent.parameters];
  });
}

async function headsOf(client: pg.Client): Promise<Map<string, number>> {
  const answer = await client.query<{ document: string; head: string }>(`
    SELECT n.name || ' ' || d.name AS document, max(a.version) AS head
    FROM tidemark.attachments a JOIN tidemark.documents d ON d.id = a.document
      JOIN tidemark.names n ON n.id = d.collection GROUP BY 1`);
  return new Map(answer.rows.map(({ document, head }) => [document, Number(head)]));
}

/** In the order of time, as the ids that Tidemark makes are. */
function commandId(now: number, n: number): string {
  const time = now.toString(16).padStart(12, '0');
  const tail = n.toString(16).padStart(16, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${randomBytes(1).toString('hex')}${tail.slice(6)}`;
}
