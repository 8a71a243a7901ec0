/** A database for each test file, on the server that the run has started. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Store } from 'tidemark';
import { postgres, type PostgresOptions } from 'tidemark/postgres';
import { afterAll, beforeAll, inject } from 'vitest';

/** How long a connection that was closed may take to be gone, in milliseconds. */
const GONE_MS = 5_000;

export interface TestDatabase {
  /** A superuser's URL of it, once the tests run. */
  readonly url: string;
  /** A log in a schema of its own, in this database. */
  store(options?: PostgresOptions): Store;
  /** Runs statements as the superuser. */
  run<Row = Record<string, unknown>>(sql: string): Promise<Row[]>;
}

/** Of a statement about the locks of this database that somebody waits for: on which table. */
export const waitsFor = (table: string): string =>
  `FROM pg_locks WHERE locktype = 'relation' AND NOT granted AND relation IN (
     SELECT oid FROM pg_class WHERE relname = '${table}')
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** Made before the tests of the file, removed after them. The file fails if it has left a connection open. */
export function testDatabase(): TestDatabase {
  const server = inject('postgres');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  let schemas = 0;
  beforeAll(() => ask(server, `CREATE DATABASE ${name} TEMPLATE template0`));
  afterAll(async () => {
    const left = await leftOpen(server, name);
    await ask(server, `DROP DATABASE ${name} WITH (FORCE)`);
    if (left.length > 0) throw new Error(`connections were left open: ${JSON.stringify(left)}`);
  });
  return {
    url: url.href,
    store: (options) => postgres(url.href, { schema: `log_${(schemas += 1)}`, ...options }),
    run: (sql) => ask(url.href, sql),
  };
}

export interface NamedDatabase {
  readonly name: string;
  /** A superuser's. */
  readonly url: string;
  run(sql: string): Promise<unknown>;
}

/** Runs work that makes databases, perhaps as copies of others by name; they are removed after it. */
export async function withDatabases(
  work: (make: (template?: string) => Promise<NamedDatabase>) => Promise<void>,
): Promise<void> {
  const server = inject('postgres');
  const made: string[] = [];
  try {
    await work(async (template = 'template0') => {
      const name = `test_${randomBytes(8).toString('hex')}`;
      await ask(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
      made.push(name);
      const { href } = Object.assign(new URL(server), { pathname: `/${name}` });
      return { name, url: href, run: (sql) => ask(href, sql) };
    });
  } finally {
    for (const name of made) await ask(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
}

async function ask<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url);
  await client.connect();
  try {
    const answer = await client.query(sql);
    return Array.isArray(answer) ? [] : (answer.rows as Row[]);
  } finally {
    await client.end();
  }
}

/** What is still connected to the database after a moment of grace. */
async function leftOpen(server: string, name: string): Promise<unknown[]> {
  const late = performance.now() + GONE_MS;
  for (;;) {
    const left = await ask(
      server,
      `SELECT application_name, state, left(query, 80) AS query FROM pg_stat_activity WHERE datname = '${name}'`,
    );
    if (left.length === 0 || performance.now() > late) return left;
    await sleep(20);
  }
}
