/** PgBouncer in transaction mode before a PostgreSQL: Debian's, in a process of the tests' own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from '../../scripts/postgres-server.ts';

/** Like PostgreSQL it doesn't run as root: the traditional uid of nobody. */
const NOBODY = 65_534;
const START_MS = 20_000;

export interface PgBouncer {
  /** What it is in front of, reached by way of it. */
  readonly url: string;
  /** SIGKILL. Clients lose their connections, and find nobody at the port. */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
  end(): Promise<void>;
}

/** In front of the database of `url`; all its clients share so many connections. */
export async function startPgBouncer(url: string, connections: number): Promise<PgBouncer> {
  const program = find();
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-pgbouncer-'));
  const isRoot = process.getuid?.() === 0;
  const target = new URL(url);
  const port = await freePort();
  const own = new URL(url);
  own.hostname = '127.0.0.1';
  own.port = String(port);
  own.password = '';
  const password = target.password === '' ? '' : ` password=${decodeURIComponent(target.password)}`;
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
* = host=${target.hostname} port=${target.port || '5432'} user=${target.username}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
server_login_retry = 1
logfile = ${join(folder, 'log')}
`,
  );
  chmodSync(folder, 0o700);
  if (isRoot) for (const path of [folder, file]) chownSync(path, NOBODY, NOBODY);

  let child: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();
  const stop = async (): Promise<void> => {
    child?.kill('SIGKILL');
    await exited;
  };
  const run = async (): Promise<void> => {
    // Told to end when our end of its input is closed, by whatever end this process comes to.
    const guard = '"$@" & it=$!; read -r _; kill -KILL $it; wait $it';
    child = spawn('/bin/sh', ['-c', guard, 'sh', program, '-q', file], {
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
      cwd: folder,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    exited = once(child, 'exit');
    const late = performance.now() + START_MS;
    while (!(await answers(own.href))) {
      if (performance.now() > late) throw new Error(`${program} did not start.`);
      await sleep(20);
    }
  };
  const kill = async (): Promise<void> => {
    child!.stdin!.end();
    await exited;
  };
  try {
    await run();
  } catch (error) {
    await stop();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: own.href,
    kill,
    startAgain: run,
    async end() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @throws Error that says what to install */
function find(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('There is no pgbouncer on this machine: apt-get install pgbouncer');
  return found;
}

async function answers(url: string): Promise<boolean> {
  const client = new Client(url);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
