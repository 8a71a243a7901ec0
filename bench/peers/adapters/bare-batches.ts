/** The bare client's batches, as they are sent to `append_v1`: made before the time is taken. */
import { randomBytes, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { appendParameters } from '../../../src/store/postgres/writing/append-parameters.ts';
import { encoded } from '../../../src/store/postgres/writing/encode.ts';
import { CLOCK_AHEAD_MAX_MS } from '../../../src/store/store.ts';
import { PRICE, buyerId, serviceId, type Work } from '../peer.ts';

const LOCK_TIMEOUT_MS = '5000';
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

/** Stands for an end of the log until its turn comes. */
const BEFORE = { position: 0, hash: HASHES[0]! };

type Parameters = ReturnType<typeof appendParameters>;

export interface Prepared {
  readonly batches: readonly Parameters[];
  /** The log's id, which is said last in every call. */
  readonly log: string;
}

/**
 * Batches with the versions that documents will have when their turn comes: nobody else writes. If `told` they say of the
 * documents that exist already what Tidemark's would: their numbers and heads.
 */
export async function prepare(client: pg.Client, work: Work, group: number, told: boolean): Promise<Prepared> {
  const { heads, numbers } = await documentsOf(client);
  const generation = await client.query<{ value: string }>("SELECT value FROM tidemark.meta WHERE name = 'generation'");
  const log = await client.query<{ id: string }>('SELECT id FROM tidemark.log');
  const session = {
    session: randomUUID(),
    fence: 0,
    lock_timeout: LOCK_TIMEOUT_MS,
    durability: undefined,
    clock: undefined,
    ahead_ms: CLOCK_AHEAD_MAX_MS,
  };
  const length = Math.ceil((work.warmMs + work.ms) * Math.min(COMMANDS_PER_MS / group, CALLS_PER_MS));
  let n = work.from;
  const batches = Array.from({ length }, () => {
    const now = Date.now();
    const touched: string[] = [];
    const reads = new Map<string, number>();
    const rows = new Map<string, number>();
    const commits = Array.from({ length: group }, () => {
      n += 1;
      const service_id = serviceId(work.hot ?? (n * STRIDE) % work.services);
      const buyer_id = buyerId(n * STRIDE);
      touched.push(`services ${service_id}`, `users ${buyer_id}`);
      if (!reads.has(service_id)) {
        rows.set(service_id, reads.size);
        reads.set(service_id, heads.get(`services ${service_id}`) ?? 0);
      }
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
        reads: [rows.get(service_id)!],
      };
    });
    const before = new Map(touched.map((document) => [document, heads.get(document) ?? 0]));
    for (const document of touched) heads.set(document, (heads.get(document) ?? 0) + 1);
    const find = ({ collection, id }: { collection: string; id: string }) => {
      const document = `${collection} ${id}`;
      const known = numbers.get(document);
      return known === undefined ? undefined : { number: known, head: before.get(document)! };
    };
    const { values } = encoded(
      {
        seen: BEFORE,
        generation: Number(generation.rows[0]!.value),
        handled: HANDLED,
        reads: Array.from(reads, ([id, version]) => ({ collection: 'services', id, version })),
        commits,
      },
      { end: BEFORE, find: told ? find : () => undefined },
      session,
    );
    return appendParameters(values);
  });
  return { batches, log: log.rows[0]!.id };
}

/** The documents that exist already. */
async function documentsOf(client: pg.Client): Promise<{ heads: Map<string, number>; numbers: Map<string, number> }> {
  const { rows } = await client.query<{ document: string; number: string; head: string }>(`
    SELECT n.name || ' ' || d.id AS document, d.number, max(a.version) AS head
    FROM tidemark.attachments a JOIN tidemark.documents d ON d.number = a.document
      JOIN tidemark.names n ON n.number = d.collection GROUP BY 1, 2`);
  return {
    heads: new Map(rows.map(({ document, head }) => [document, Number(head)])),
    numbers: new Map(rows.map(({ document, number }) => [document, Number(number)])),
  };
}

/** In the order of time, as the ids that Tidemark makes are. */
function commandId(now: number, n: number): string {
  const time = now.toString(16).padStart(12, '0');
  const tail = n.toString(16).padStart(16, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${randomBytes(1).toString('hex')}${tail.slice(6)}`;
}
