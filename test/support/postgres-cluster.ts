/**
 * A primary and two standbys, each a server of its own, and what an operator does when the primary is gone: promote the
 * standby that is furthest ahead, and let the other one follow it.
 *
 * The standbys begin as copies of the primary's data, made before it is first started: a copy of a database that nobody
 * has open is whole, and no tool is needed that isn't beside every server.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort, initialised, launch, makePlace, type Place, type Server } from './postgres-server.ts';

const NAMES = ['one', 'two', 'three'] as const;
/** How long the standbys may take to connect, in milliseconds. */
const JOIN_MS = 30_000;

export interface Node extends Server {
  readonly name: string;
  /** How far it has got: received by a standby, written by a primary. In bytes. */
  position(): Promise<bigint>;
}

export interface ClusterOptions {
  /** Whether a commit waits for one standby, whichever is first. */
  readonly quorum: boolean;
}

export class Cluster {
  readonly nodes: readonly Node[];
  primary: Node;

  private constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
    this.primary = nodes[0]!;
  }

  static async start({ quorum }: ClusterOptions): Promise<Cluster> {
    const ports = await Promise.all(NAMES.map(() => freePort()));
    const origin = initialised();
    const places = [origin, ...NAMES.slice(1).map((name) => copied(origin, name, ports[0]!))];
    const nodes: Node[] = [];
    try {
      for (const [index, name] of NAMES.entries()) {
        const server = await launch(places[index]!, {
          port: String(ports[index]),
          // The same on each: any of them may be the primary one day.
          synchronous_standby_names: quorum ? `ANY 1 (${NAMES.join(', ')})` : '',
          wal_keep_size: '128MB',
          wal_retrieve_retry_interval: '100ms',
        });
        nodes.push({ ...server, name, position: async () => BigInt(String(await ask(server, POSITION))) });
      }
      const cluster = new Cluster(nodes);
      await cluster.#joined(NAMES.length - 1);
      return cluster;
    } catch (error) {
      await Promise.all(nodes.map((node) => node.end()));
      throw error;
    }
  }

  /** Where a log may be: all of them, and the one that takes writes is found by whoever connects. */
  url(database = 'postgres'): string {
    const hosts = this.nodes.map(({ port }) => `127.0.0.1:${port}`);
    return `postgres://postgres@${hosts.join(',')}/${database}?target_session_attrs=read-write`;
  }

  get standbys(): readonly Node[] {
    return this.nodes.filter((node) => node !== this.primary);
  }

  /** The primary and all its processes end at once, in the middle of whatever they do. */
  killPrimary(): void {
    killAll(this.primary.pid);
  }

  /**
   * The primary is gone: the standby that has received most takes its place, and the other follows it.
   *
   * @returns how far each standby had got
   */
  async failOver(): Promise<ReadonlyMap<Node, bigint>> {
    const received = new Map<Node, bigint>();
    for (const standby of this.standbys) received.set(standby, await standby.position());
    const [[next]] = [...received].sort(([, one], [, other]) => (one < other ? 1 : -1)) as [[Node, bigint]];
    const lost = this.primary;
    const others = this.standbys.filter((node) => node !== next);
    await ask(next, 'SELECT pg_promote(true, 60)');
    this.primary = next;
    for (const other of others) {
      await ask(other, `ALTER SYSTEM SET primary_conninfo = '${conninfo(other.name, next.port)}'`);
      await ask(other, 'SELECT pg_reload_conf()');
    }
    await this.#joined(this.nodes.filter((node) => node !== lost && node !== next).length);
    return received;
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end()));
  }

  async #joined(count: number): Promise<void> {
    const late = performance.now() + JOIN_MS;
    const joined = "SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming'";
    while ((await ask(this.primary, joined)) !== count) {
      if (performance.now() > late) throw new Error(`the standbys of ${this.primary.name} did not connect`);
      await sleep(50);
    }
  }
}

/** Runs one statement as the superuser, and gives its only value. */
export async function ask({ url }: { readonly url: string }, sql: string): Promise<unknown> {
  const client = new Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** Cuts a standby off from the primary: it stays as far as it has got, whatever was on its way. */
export async function cutOff(standby: Node): Promise<void> {
  await ask(standby, "ALTER SYSTEM SET primary_conninfo = ''");
  await ask(standby, 'SELECT pg_reload_conf()');
  const late = performance.now() + JOIN_MS;
  while ((await ask(standby, 'SELECT count(*)::int FROM pg_stat_wal_receiver')) !== 0) {
    if (performance.now() > late) throw new Error(`${standby.name} can't be cut off`);
    await sleep(20);
  }
}

const POSITION = `SELECT pg_wal_lsn_diff(
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, '0/0')`;

function conninfo(name: string, port: number): string {
  return `host=127.0.0.1 port=${port} user=postgres application_name=${name}`;
}

function copied(origin: Place, name: string, primaryPort: number): Place {
  const place = makePlace();
  execFileSync('cp', ['-R', '-p', origin.data, place.data], place.identity);
  appendFileSync(join(place.data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo(name, primaryPort)}'\n`);
  writeFileSync(join(place.data, 'standby.signal'), '');
  return place;
}

/** A process and its children. The first is stopped beforehand, so that it makes no more. */
function killAll(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const children = processes()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid ? [child!] : []));
  for (const one of [...children, pid]) {
    try {
      process.kill(one, 'SIGKILL');
    } catch (error) {
      // Ended by itself in between.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function processes(): string {
  try {
    return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  } catch (cause) {
    throw new Error('ps can’t be run, which names the processes of a server: apt-get install procps', { cause });
  }
}
