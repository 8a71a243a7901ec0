/**
 * Which of several servers takes writes: the one that isn't in recovery. Every new connection asks, even with a single host:
 * after a failover its name may lead to a standby, and what that hasn't received yet would look like lost history.
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
  /** Connections that were seen to take writes; empty again once one is lost. */
  #trusted = new WeakSet<PostgresClient>();

  /** `own`: the pools end with the session. */
  constructor(hosts: readonly HostPool[], own: boolean, waits: Waits) {
    this.#hosts = hosts;
    this.#own = own;
    this.#waits = waits;
    for (const { pool } of hosts) {
      // Without a listener the loss of an idle connection would end the process. One listener serves all sessions on a pool,
      // and stays: connections may be idle in the pool for longer than a session lasts.
      if (!heard.has(pool)) {
        pool.on('error', () => undefined);
        // A connection may also be lost before its caller has it: the packet that makes it ready may hold its end too.
        pool.on('connect', (client) => client.on('error', () => undefined));
      }
      heard.add(pool);
    }
  }

  /**
   * A connection to the server that takes writes: first the last one that did, then the others in turn. Each gets its share
   * of the time, so a machine that gives no answer leaves time for the others.
   *
   * @throws Failed if none takes writes now; a permanent failure only if all of them fail permanently
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
    const errors = passing.map(({ error }) => error);
    throw new Failed(new AggregateError(errors, ''), { connecting: true });
  }

  /** A connection was lost, so idle ones may be dead too: each is asked before it is used again. */
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
