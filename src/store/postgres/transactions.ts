/**
 * How what is asked of a log becomes statements on connections: reads each on one of the pool's, again on another if it is
 * lost; writes one after the other, each in a transaction whose end is known, or known to be unknown.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, Connections, Query } from './connection.ts';
import { closed, Failed, isLost, isNotSent, sqlState, translated, unknownCommit, WRONG_ISOLATION } from './errors.ts';
import { Fence } from './fence.ts';
import { Queue } from './lock.ts';
import type { Settings } from './options.ts';

/** The pause before a statement is sent again on another connection, in milliseconds. */
const PAUSE_MS = 20;

export class Transactions {
  readonly fence = new Fence();
  readonly #connections: Connections;
  readonly #settings: Settings;
  readonly #queue = new Queue();
  /** Whether each transaction must say at which level it runs. */
  #stateIsolation: boolean;
  #closed = false;

  constructor(connections: Connections, settings: Settings, stateIsolation: boolean) {
    this.#connections = connections;
    this.#settings = settings;
    this.#stateIsolation = stateIsolation;
  }

  /** @throws Closed */
  assertOpen(): void {
    if (this.#closed) throw closed(this.#settings.place);
  }

  /** Nothing new is begun; what is under way comes to its end, and then the connections are ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue.idle();
    await this.#connections.end();
  }

  /** One statement, or several of which each may be of another end of the log. */
  read<T>(run: (query: Query) => Promise<T>): Promise<T> {
    return this.retried((connection) => run((text, parameters) => connection.query(text, parameters)));
  }

  /** Runs what may be run twice: on another connection if its own is lost. */
  async retried<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    return this.#translating(async () => {
      for (;;) {
        this.assertOpen();
        try {
          return await this.#connections.use(run);
        } catch (error) {
          if (!isLost(error) || performance.now() >= end) throw error;
          await sleep(PAUSE_MS);
        }
      }
    });
  }

  /** Runs a write in its turn, in a transaction of its own. */
  async write<T>(run: (query: Query, fence: number) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    return this.inTurn(async (use) => {
      for (;;) {
        try {
          return await use((connection) => this.#transaction(connection, run));
        } catch (error) {
          const refused = error instanceof Failed && sqlState(error) === WRONG_ISOLATION;
          // The default of the database was changed since the session was opened.
          if (refused && !this.#stateIsolation) this.#stateIsolation = true;
          else if (!isNotSent(error) || performance.now() >= end) throw error;
        }
      }
    });
  }

  /** Runs work that writes once those before it are done. */
  async inTurn<T>(work: (use: Connections['use']) => Promise<T>): Promise<T> {
    this.assertOpen();
    return this.#queue.run(() => this.#translating(() => work((run) => this.#connections.use(run))));
  }

  /** Waits until what the ledger says of earlier appends is final (fence.ts). `raise` is the statement that raises a fence. */
  settled(raise: string): Promise<void> {
    const { lockTimeoutMs, answerTimeoutMs } = this.#settings;
    return this.fence.settle((fence) =>
      this.retried(async (connection) => {
        const parameters = [this.fence.session, String(fence), String(lockTimeoutMs)];
        // At another level two that remove the same old fences would collide.
        if (this.#stateIsolation) await connection.begin('READ COMMITTED');
        await connection.query(raise, parameters, lockTimeoutMs + answerTimeoutMs);
        if (this.#stateIsolation && !(await connection.commit())) throw rolledBack();
      }),
    );
  }

  /** Commits what was sent under a fence. */
  async commit(connection: Connection, fence: number): Promise<void> {
    let committed: boolean;
    try {
      committed = await connection.commit();
    } catch (error) {
      throw await this.#doubted(connection, fence, error);
    }
    if (!committed) throw rolledBack();
  }

  /**
   * Nearly always a statement alone, which is its own transaction: one round trip. The level is stated where the default
   * is another; a pooler that hands each transaction to another connection lets nobody set it beforehand.
   */
  async #transaction<T>(connection: Connection, run: (query: Query, fence: number) => Promise<T>): Promise<T> {
    const { lockTimeoutMs, answerTimeoutMs } = this.#settings;
    const query: Query = (text, parameters) => connection.query(text, parameters, lockTimeoutMs + answerTimeoutMs);
    const fence = this.fence.current;
    if (!this.#stateIsolation) {
      try {
        return await run(query, fence);
      } catch (error) {
        throw await this.#doubted(connection, fence, error);
      }
    }
    await connection.begin('READ COMMITTED');
    let result: T;
    try {
      result = await run(query, fence);
    } catch (error) {
      // Without COMMIT nothing is stored.
      await connection.rollback();
      throw error;
    }
    await this.commit(connection, fence);
    return result;
  }

  /** What is to be thrown for what was thrown when a commit was sent: whether it is stored is unknown, unless the server says. */
  async #doubted(connection: Connection, fence: number, error: unknown): Promise<unknown> {
    if (!(error instanceof Failed) || isNotSent(error)) return error;
    if (sqlState(error) !== undefined && (await connection.rollback())) return error;
    this.fence.doubt(fence);
    return unknownCommit(error, this.#settings.place);
  }

  async #translating<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw translated(error, this.#settings.place);
    }
  }
}

function rolledBack(): Failed {
  return new Failed(new Error('the transaction was rolled back'));
}
