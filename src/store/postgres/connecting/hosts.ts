/**
 * Which of several servers takes writes: the one that isn't in recovery. It is asked on every new connection, also where
 * there is a single host, because its name may lead to a standby after a failover: what a standby hasn't heard of yet
 * would be taken for history that is gone.
 */
import { Connection, type Waits } from './connection.ts';
import { Failed, isPermanent } from '../failed.ts';
import type { PostgresClient, PostgresPool } from './pool.ts';

export interface HostPool {
  /** For messages. */
  readonly name: string;
  readonly pool: PostgresPool;
}

const heard = new WeakSet<PostgresPool>();

export class Hosts {
  readonly #hosts: readonly HostPool[];
  readonly #own: boolean;
  readonly #waits: Waits;
  /** The one that took writes last. */
  #current = 0;
  /** Connections that were seen to take writes, and none was lost since. */
  #trusted = new WeakSet<PostgresClient>();

  /** `own`: the pools end with the session. */
  constructor(hosts: readonly HostPool[], own: boolean, waits: Waits) {
    this.#hosts = hosts;
    this.#own = own;
    this.#waits = waits;
    for (const { pool } of hosts) {
      // An idle connection that is lost is no reason for the process to end: the next call makes another. One listener
      // serves all sessions on a pool, and stays: connections of ours may be idle in it for longer than we are.
      if (!heard.has(pool)) {
        pool.on('error', () => undefined);
        // Nor is one that is lost while it changes hands: the server's farewell may come in the very packet that a
        // connection is ready with, and is then read before whoever waits for the connection has been given it.
        pool.on('connect', (client) => client.on('error', () => undefined));
      }
      heard.add(pool);
    }
  }

  /**
   * A connection to the server that takes writes: where it was last, then the others in turn, each for its share of the
   * time at most. A machine that vanished without a word leaves the others theirs.
   *
   * @throws Failed if none takes writes now; a permanent failure only if each of them is one
   */
  async connect(): Promise<Connection> {
    const failures: Failed[] = [];
    const from = this.#current;
    for (let step = 0; step < this.#hosts.length; step += 1) {
      const index = (from + step) % this.#hosts.length;
      try {
        const connection = await this.#connect(this.#hosts[index]!);
        this.#current = index;
        return connection;
      } catch (error) {
        failures.push(new Failed(error instanceof Failed ? error.error : error, { connecting: true }));
      }
    }
    const passing = failures.filter((failure) => !isPermanent(failure));
    const [first, ...others] = passing.length > 0 ? passing : failures;
    if (others.length === 0 || passing.length === 0) throw first!;
    throw new Failed(
      new AggregateError(
        passing.map(({ error }) => error),
        '',
      ),
      { connecting: true },
    );
  }

  /** A connection was lost, so the idle ones may be dead without knowing it: each is asked before it is used again. */
  distrust(): void {
    this.#trusted = new WeakSet();
  }

  async end(): Promise<void> {
    if (this.#own) await Promise.all(this.#hosts.map(({ pool }) => pool.end()));
  }

  async #connect({ name, pool }: HostPool): Promise<Connection> {
    const client = await pool.connect();
    const connection = new Connection(client, this.#waits);
    if (this.#trusted.has(client)) return connection;
    const trusted = this.#trusted;
    try {
      const share = Math.ceil(this.#waits.connectTimeoutMs / this.#hosts.length);
      const [row] = await connection.query('SELECT pg_catalog.pg_is_in_recovery()', [], { timeoutMs: share });
      if (row?.[0] === 't') throw new Failed(new Error(`${name} is a standby, which takes no writes`));
    } catch (error) {
      void connection.release(true);
      throw error;
    }
    trusted.add(client);
    return connection;
  }
}
