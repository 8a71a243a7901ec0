/** What others do to the log's store meanwhile, as they may: a forgotten reader, a lock that anybody can take. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** How long a reader is forgotten, in milliseconds: the write-ahead log grows meanwhile. */
const FORGOTTEN_MS = 15_000;

/** Reads a SQLite log, and goes away with the transaction open; ends with the signal. */
export async function forgetfulReader(file: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const database = new DatabaseSync(file, { readOnly: true });
    database.exec('BEGIN; SELECT count(*) FROM commits');
    await sleep(FORGOTTEN_MS, undefined, { signal: over }).catch(() => undefined);
    database.close();
    await sleep(1_000, undefined, { signal: over }).catch(() => undefined);
  }
}

/** Takes every advisory lock that the log could be using, and keeps it; ends with the signal. */
export async function lockTaker(url: string, over: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('CREATE ROLE stranger LOGIN').catch(() => undefined);
  await client.query('SET SESSION AUTHORIZATION stranger');
  while (!over.aborted) {
    // Those that are held just now are those that somebody uses.
    const { rows } = await client.query<{ classid: string; objid: string; objsubid: number }>(
      "SELECT classid, objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()",
    );
    for (const { classid, objid, objsubid } of rows) {
      if (objsubid === 2) await client.query('SELECT pg_advisory_lock($1::int, $2::int)', [classid, objid]);
      else await client.query('SELECT pg_advisory_lock(($1::bigint << 32) | $2::bigint)', [classid, objid]);
    }
    await sleep(50, undefined, { signal: over }).catch(() => undefined);
  }
  await client.end();
}
