/**
 * Sends what is asked of a log to connections. A read goes to any connection of the pool, and again to another if that one
 * is lost. Writes go one after the other, each in its own transaction; if its end isn't known, the caller is told so.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, isTidemarkError } from '../../errors.ts';
import type { Locked } from '../store.ts';
import { WRITE } from '../turns.ts';
import { within } from '../within.ts';
import { queryOn, type Connection, type Query, type StatementOptions } from './connecting/connection.ts';
import type { Connections } from './connecting/connections.ts';
import { Fence } from './connecting/fence.ts';
import type { Purpose } from './connecting/gate.ts';
import { assertSameLog } from './connecting/migrate.ts';
import type { Settings } from './connecting/options.ts';
import { closed, translated, unknownChange, unknownCommit } from './errors.ts';
import { Failed, isCutShort, isLost, isMissing, isNotSent, sqlState, WRONG_ISOLATION } from './failed.ts';
import { call, callOf, type Calls } from './functions.ts';
import { quoted } from './schema.ts';
import { runLocked, type Offering } from './writing/exclusive.ts';
import { Queue } from './writing/lock.ts';

/** What opening has found. */
export interface OpenedLog {
  /** Its id, given in every call. */
  readonly log: string;
  /** The defaults of the server differ, so each transaction that writes must state its settings. */
  readonly stateSettings: boolean;
}

/** The pause before a statement is sent again on another connection, in milliseconds. */
const PAUSE_MS = 20;
const ROLLED_BACK = new Error('the transaction was rolled back');

export class Transactions {
  readonly fence = new Fence();
  readonly #connections: Connections;
  readonly #settings: Settings & OpenedLog;
  /** Quoted. */
  readonly #schema: string;
  readonly #queue = new Queue();
  readonly #beside = new Set<Promise<unknown>>();
  #stateSettings: boolean;
  #closed = false;

  constructor(connections: Connections, settings: Settings & OpenedLog) {
    this.#connections = connections;
    this.#settings = settings;
    this.#schema = quoted(settings.schema);
    this.#stateSettings = settings.stateSettings;
  }

  /** @throws Closed */
  assertOpen(): void {
    if (this.#closed) throw closed(this.#settings.place);
  }

  /**
   * Begins nothing new, waits for what is under way, and ends the connections. What isn't over after `timeoutMs` is given up:
   * whether a write that was sent is stored is unknown then, and all other calls get `Closed`.
   */
  async close(timeoutMs?: number): Promise<void> {
    this.#closed = true;
    const written = Promise.allSettled([this.#queue.idle(), ...this.#beside]);
    const idle = written.then(() => this.#connections.idle());
    if (timeoutMs !== undefined && !(await within(idle, timeoutMs))) this.#connections.abandon();
    await idle;
    await this.#connections.end();
  }

  /** Runs one statement, or several that needn't be of the same end of the log. */
  read<T>(kind: Purpose, run: (query: Calls) => Promise<T>): Promise<T> {
    return this.#retried(kind, (connection, stated) => {
      const query = this.#calls(connection);
      return stated ? this.#stated(connection, () => run(query)) : run(query);
    });
  }

  /** Runs several statements that call no functions, with our own settings. They read the log that was opened. */
  inTransaction<T>(run: (query: Query) => Promise<T>): Promise<T> {
    return this.#retried('check', (connection) =>
      this.#stated(connection, async () => {
        await this.#assertSameLog(connection);
        const result = await run(queryOn(connection));
        // Meanwhile another log may have taken its place, or a newer format.
        await this.#assertSameLog(connection);
        return result;
      }),
    );
  }

  /** Runs a write in its turn, in a transaction of its own. */
  async write<T>(run: (query: Calls, fence: number) => Promise<T>): Promise<T> {
    this.assertOpen();
    return this.#queue.run(() =>
      this.#untilSent(this.#stateSettings, (connection, stated) => {
        const fence = this.fence.current;
        return this.#transaction(connection, (query) => run(query, fence), { stated, fence });
      }),
    );
  }

  /** Runs statements under the write lock in its turn, in one transaction. They store no events. */
  async locked<T>(run: (query: Calls) => Promise<T>): Promise<T> {
    this.assertOpen();
    const lock = call(this.#schema, 'lock_v1', 1);
    const work = async (query: Calls): Promise<T> => {
      await query(lock, [String(this.#settings.lockTimeoutMs)]);
      return run(query);
    };
    return this.#queue.run(() =>
      this.#untilSent(true, (connection) => this.#transaction(connection, work, { stated: true })),
    );
  }

  /**
   * Runs a write that needs no write lock: beside the others, in no turn, on a connection that reads could have. It is one
   * statement that may be sent twice: the second time it changes nothing.
   */
  async beside<T>(kind: Purpose, run: (query: Calls) => Promise<T>): Promise<T> {
    this.assertOpen();
    const running = this.#untilSent(
      this.#stateSettings,
      (connection, stated) => this.#transaction(connection, run, { stated }),
      kind,
    );
    this.#beside.add(running);
    try {
      return await running;
    } finally {
      this.#beside.delete(running);
    }
  }

  /** Runs work under the write lock in its turn, in one transaction. Work that has begun is never run again. */
  async exclusive<T>(work: (locked: Locked) => Promise<T>, offering: Offering): Promise<T> {
    this.assertOpen();
    const settings = { lock: call(this.#schema, 'lock_v1', 1), ...this.#settings, ...this.#writing };
    return this.#queue.run(async () => {
      await this.settled();
      return this.#untilSent(true, async (connection) => {
        const result = await runLocked(connection, this.#calls(connection), work, offering, settings);
        await this.#commit(connection, this.fence.current).catch((error: unknown) => {
          throw translated(error, this.#settings.place);
        });
        return result;
      });
    });
  }

  /** Resolves when the ledger's answer about earlier appends is final (fence.ts). */
  settled(): Promise<void> {
    const { lockTimeoutMs } = this.#settings;
    return this.fence.settle((fence) =>
      this.#retried('fence', async (connection, cutShort) => {
        const stated = cutShort || this.#stateSettings;
        // At another isolation level two sessions that remove the same old fences would collide.
        if (stated) await connection.begin('READ COMMITTED', this.#writing);
        const parameters = [this.fence.session, String(fence), String(lockTimeoutMs)];
        await this.#calls(connection, this.#sent(!stated))(call(this.#schema, 'fence_v1', 3), parameters);
        connection.assertHeard();
        if (stated && !(await connection.commit())) throw new Failed(ROLLED_BACK);
      }),
    );
  }

  /** Runs what may run twice: again on another connection if its own is lost, with our own settings if others stopped it. */
  async #retried<T>(kind: Purpose, run: (connection: Connection, stated: boolean) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    let stated = false;
    let lost: Failed | undefined;
    for (;;) {
      this.assertOpen();
      try {
        return await this.#connections.use(kind, (connection) => run(connection, stated));
      } catch (error) {
        // The busy connection is the lost one, which gave no answer.
        if (lost && hasCode(error, 'ConnectionsBusy')) throw await this.#told(lost);
        if (isCutShort(error) && !stated) stated = true;
        else if (!isLost(error) || performance.now() >= end) throw await this.#told(error);
        else {
          lost = error;
          await sleep(PAUSE_MS);
        }
      }
    }
  }

  /**
   * Runs a write: again on another connection if nothing of it was sent, for as long as connecting may take; and with our own
   * settings if others have refused or stopped it. `stated`: it states them from the start.
   */
  async #untilSent<T>(
    stated: boolean,
    run: (connection: Connection, stated: boolean) => Promise<T>,
    kind: Purpose = WRITE,
  ): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    for (;;) {
      try {
        return await this.#connections.use(kind, (connection) => run(connection, stated));
      } catch (error) {
        if (isNotSent(error) && performance.now() < end) continue;
        const refused = sqlState(error) === WRONG_ISOLATION;
        if (stated || !(refused || isCutShort(error))) throw await this.#told(error);
        stated = true;
        // The default of the database has changed since the session was opened.
        if (refused) this.#stateSettings = true;
      }
    }
  }

  /** Runs what only reads, in a transaction that states its settings. */
  async #stated<T>(connection: Connection, run: () => Promise<T>): Promise<T> {
    await connection.begin('READ COMMITTED READ ONLY', { statementTimeoutMs: this.#settings.answerTimeoutMs });
    try {
      return await run();
    } finally {
      // Nothing was written, so it doesn't matter how it ends.
      await connection.rollback();
    }
  }

  /** The last parameter of every function of the log is the log's id. */
  #calls(connection: Connection, options?: StatementOptions): Calls {
    return (what, parameters = []) => {
      const text = typeof what === 'string' ? what : callOf(this.#schema, what);
      return connection.query(text, [...parameters, this.#settings.log], options);
    };
  }

  async #commit(connection: Connection, fence?: number): Promise<void> {
    let committed: boolean;
    try {
      committed = await connection.commit();
    } catch (error) {
      throw await this.#doubted(connection, fence, error);
    }
    if (!committed) throw new Failed(ROLLED_BACK);
  }

  /** How a write is sent. `commits`: it is its own transaction. */
  #sent(commits: boolean): StatementOptions {
    return { timeoutMs: this.#writing.statementTimeoutMs, commits };
  }

  /** A write waits for the lock, and then takes as long as any statement. */
  get #writing() {
    const { lockTimeoutMs, answerTimeoutMs } = this.#settings;
    return { statementTimeoutMs: lockTimeoutMs + answerTimeoutMs };
  }

  /**
   * A write is nearly always one statement, which is its own transaction: one round trip. It states its settings only if the
   * defaults differ. (They can't be set before: a pooler may give each transaction another connection.) `fence`: of an append.
   */
  async #transaction<T>(
    connection: Connection,
    run: (query: Calls) => Promise<T>,
    { stated, fence }: { readonly stated: boolean; readonly fence?: number },
  ): Promise<T> {
    const query = this.#calls(connection, this.#sent(!stated));
    if (!stated) {
      try {
        const result = await run(query);
        connection.assertHeard();
        return result;
      } catch (error) {
        throw await this.#doubted(connection, fence, error);
      }
    }
    await connection.begin('READ COMMITTED', this.#writing);
    let result: T;
    try {
      result = await run(query);
      connection.assertHeard();
    } catch (error) {
      // Without COMMIT nothing is stored.
      await connection.rollback();
      throw error;
    }
    await this.#commit(connection, fence);
    return result;
  }

  /** What to throw if sending a commit failed: whether it is stored is unknown, unless the server still answers. */
  async #doubted(connection: Connection, fence: number | undefined, error: unknown): Promise<unknown> {
    if (!(error instanceof Failed) || isNotSent(error)) return error;
    if (sqlState(error) !== undefined && (await connection.rollback())) return error;
    if (fence === undefined) return unknownChange(error, this.#settings.place);
    this.fence.doubt(fence);
    return unknownCommit(error, this.#settings.place);
  }

  /** The caller's error for a failure. If something is missing, its whole schema may be gone. */
  async #told(error: unknown): Promise<unknown> {
    if (isMissing(error)) {
      try {
        await this.#connections.use('check', (connection) =>
          this.#stated(connection, () => this.#assertSameLog(connection)),
        );
      } catch (found) {
        if (isTidemarkError(found)) return found;
      }
    }
    return translated(error, this.#settings.place);
  }

  #assertSameLog(connection: Connection): Promise<void> {
    const { schema, log, place } = this.#settings;
    return assertSameLog(queryOn(connection), schema, log, place);
  }
}
