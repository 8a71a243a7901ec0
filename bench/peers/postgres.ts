/**
 * A PostgreSQL of the run's own: a fresh cluster in a temporary folder, on the loopback address, with PostgreSQL's own
 * settings but for those below. It ends with this process, whatever end that comes to.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { initialised, launch } from '../../scripts/postgres-server.ts';

/** All systems are connected during the whole run, each with the pool that it makes by default. */
const SETTINGS = { max_connections: '300' };

const SHOWN = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'max_wal_size',
  'max_connections',
];

export interface Cluster {
  readonly port: number;
  /** What it is set to, as it says itself. */
  readonly settings: Readonly<Record<string, string>>;
  /** Makes a database, and gives its URL. */
  database(name: string): Promise<string>;
  /** Ends all connections to a database, and waits until they are gone. */
  clear(name: string): Promise<void>;
  checkpoint(): Promise<void>;
  end(): Promise<void>;
}

export async function startPostgres(): Promise<Cluster> {
  const { port, end } = await launch(initialised(), SETTINGS, {});
  return clusterAt(port, end);
}

async function clusterAt(port: number, stop: () => Promise<void>): Promise<Cluster> {
  const url = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`;
  const client = new pg.Client(url('postgres'));
  await client.connect();
  const { rows } = await client.query<{ name: string; value: string }>(
    'SELECT name, current_setting(name) AS value FROM unnest($1::text[]) AS shown (name)',
    [SHOWN],
  );
  return {
    port,
    settings: Object.fromEntries(rows.map(({ name, value }) => [name, value])),
    database: async (name) => {
      await client.query(`CREATE DATABASE "${name}" TEMPLATE template0`);
      return url(name);
    },
    clear: async (name) => {
      const left = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1';
      while ((await client.query(left, [name])).rowCount !== 0) await sleep(20);
    },
    checkpoint: async () => void (await client.query('CHECKPOINT')),
    end: async () => {
      await client.end();
      await stop();
    },
  };
}
