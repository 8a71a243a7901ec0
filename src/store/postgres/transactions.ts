/**
 * How what is asked of a log becomes statements on connections: reads each on one of the pool's, again on another if it is
 * lost; writes one after the other, each in a transaction whose end is known, or known to be unknown.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, isTidemarkError } from '../../errors.ts';
import type { Locked } from '../store.ts';
import { WRITE } from '../turns.ts';
import { within } from '../within.ts';
import { queryOn } from './connecting/connection.ts';
import type { Connection, Query, StatementOptions } from './connecting/connection.ts';
import type { Connections } from './connecting/connections.ts';
import { Fence } from './connecting/fence.ts';
import type { Purpose } from './connecting/gate.ts';
import { assertSameLog } from './connecting/migrate.ts';
import type { Settings } from './connecting/options.ts';
import { closed, translated, unknownCommit } from './errors.ts';
import { Failed, isCutShort, isLost, isMissing, isNotSent, sqlState, WRONG_ISOLATION } from './failed.ts';
import { call } from './functions.ts';
import { quoted } from './schema.ts';
import { runLocked } from './writing/exclusive.ts';
import type { Offering } from './writing/exclusive.ts';
import { Queue } from './writing/lock.ts';

/** What opening has found. */
export interface OpenedLog {
  /** Its id: said in every call. */
  readonly log: string;
  /** Whether each transaction that writes must state its settings, because the defaults are others. */
  readonly stateSettings: boolean;
}

/** The pause before a statement is sent again on another connection, in milliseconds. */
const PAUSE_MS = 20;

export class Transactions {
  readonly fence = new Fence();
  readonly #connections: Connections;
  readonly #settings: Settings & OpenedLog;
  readonly #raiseFence: string;
  readonly #takeLock: string;
  readonly #queue = new Queue();
  #stateSettings: boolean;
  #closed = false;

  constructor(connections: Connections, settings: Settings & OpenedLog) {
    this.#connections = connections;
    this.#settings = settings;
    this.#raiseFence = call(quoted(settings.schema), 'fence_v1', 3);
    this.#takeLock = call(quoted(settings.schema), 'lock_v1', 1);
    this.#stateSettings = settings.stateSettings;
  }

  /** @throws Closed */
  assertOpen(): void {
    if (this.#closed) throw closed(this.#settings.place);
  }

  /**
   * Nothing new is begun; what is under way comes to its end, and then the connections are ended. What isn't over after
   * `timeoutMs` is given up: a write that was sent is in doubt then, and anything else is told `Closed`.
   */
  async close(timeoutMs?: number): Promise<void> {
    this.#closed = true;
    const idle = this.#queue.idle().then(() => this.#connections.idle());
    if (timeoutMs !== undefined && !(await within(idle, timeoutMs))) this.#connections.abandon();
    await idle;
    await this.#connections.end();
  }

  /** One statement, or several of which each may be of another end of the log. */
  read<T>(kind: Purpose, run: (query: Query) => Promise<T>): Promise<T> {
    return this.#retried(kind, (connection, stated) => {
      const query = this.#calls(connection);
      return stated ? this.#stated(connection, () => run(query)) : run(query);
    });
  }

  /** Several statements that are no calls, with settings of our own: what they find is of the log that was opened. */
  inTransaction<T>(run: (query: Query) => Promise<T>): Promise<T> {
    const { schema, log, place } = this.#settings;
    return this.#retried('check', (connection) =>
      this.#stated(connection, async () => {
        const query = queryOn(connection);
        await assertSameLog(query, schema, log, place);
        const result = await run(query);
        // What stands in statements may have come to mean something else meanwhile: another log, or a newer format.
        await assertSameLog(query, schema, log, place);
        return result;
      }),
    );
  }

  /** Runs a write in its turn, in a transaction of its own. */
  async write<T>(run: (query: Query, fence: number) => Promise<T>): Promise<T> {
    this.assertOpen();
    return this.#queue.run(() =>
      this.#untilSent(this.#stateSettings, (connection, stated) => this.#transaction(connection, run, stated)),
    );
  }

  /** Runs work under the write lock in its turn, in one transaction: once, whatever was sent. */
  async exclusive<T>(work: (locked: Locked) => Promise<T>, offering: Offering): Promise<T> {
    this.assertOpen();
    const { log, place, lockTimeoutMs } = this.#settings;
    const translate = (error: unknown): unknown => translated(error, place);
    const settings = { lock: this.#takeLock, log, lockTimeoutMs, ...this.#writing, translate };
    return this.#queue.run(async () => {
      await this.settled();
      return this.#untilSent(true, async (connection) => {
        const result = await runLocked(connection, work, offering, settings);
        await this.#commit(connection, this.fence.current).catch((error: unknown) => {
          throw translate(error);
        });
        return result;
      });
    });
  }

  /** Waits until what the ledger says of earlier appends is final (fence.ts). */
  settled(): Promise<void> {
    const { lockTimeoutMs } = this.#settings;
    return this.fence.settle((fence) =>
      this.#retried('fence', async (connection, cutShort) => {
        const stated = cutShort || this.#stateSettings;
        // At another level two that remove the same old fences would collide.
        if (stated) await connection.begin('READ COMMITTED', this.#writing);
        const parameters = [this.fence.session, String(fence), String(lockTimeoutMs)];
        await this.#calls(connection, this.#sent(!stated))(this.#raiseFence, parameters);
        connection.assertHeard();
        if (stated && !(await connection.commit())) throw rolledBack();
      }),
    );
  }

  /** Runs what may be run twice: on another connection if its own is lost, and with settings of ours if others cut it short. */
  async #retried<T>(kind: Purpose, run: (connection: Connection, stated: boolean) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    let stated = false;
    let lost: Failed | undefined;
    for (;;) {
      this.assertOpen();
      try {
        return await this.#connections.use(kind, (connection) => run(connection, stated));
      } catch (error) {
        // What it waits for now is its own connection: that one gave no answer.
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
   * Runs a write: on another connection as long as nothing of it was sent, for as long as connecting may take; and with
   * settings of ours if others have refused it or cut it short. `stated`: whether it states them anyway.
   */
  async #untilSent<T>(stated: boolean, run: (connection: Connection, stated: boolean) => Promise<T>): Promise<T> {
    const end = performance.now() + this.#settings.connectTimeoutMs;
    for (;;) {
      try {
        return await this.#connections.use(WRITE, (connection) => run(connection, stated));
      } catch (error) {
        if (isNotSent(error) && performance.now() < end) continue;
        const refused = sqlState(error) === WRONG_ISOLATION;
        if (stated || !(refused || isCutShort(error))) throw await this.#told(error);
        stated = true;
        // The default of the database was changed since the session was opened.
        if (refused) this.#stateSettings = true;
      }
    }
  }

  /** Runs what only reads in a transaction that states its settings. */
  async #stated<T>(connection: Connection, run: () => Promise<T>): Promise<T> {
    await connection.begin('READ COMMITTED READ ONLY', { statementTimeoutMs: this.#settings.answerTimeoutMs });
    try {
      return await run();
    } finally {
      // Nothing was written, so it is all the same how it ends.
      await connection.rollback();
    }
  }

  /** Every function of the log takes the log's id last. */
  #calls(connection: Connection, options?: StatementOptions): Query {
    return (text, parameters = []) => connection.query(text, [...parameters, this.#settings.log], options);
  }

  /** Commits what was sent under a fence. */
  async #commit(connection: Connection, fence: number): Promise<void> {
    let committed: boolean;
    try {
      committed = await connection.commit();
    } catch (error) {
      throw await this.#doubted(connection, fence, error);
    }
    if (!committed) throw rolledBack();
  }

  /** How a write is sent: `commits` if it is a transaction of its own. */
  #sent(commits: boolean): StatementOptions {
    return { timeoutMs: this.#writing.statementTimeoutMs, commits };
  }

  /** A write waits for the lock, and then takes as long as any statement. */
  get #writing() {
    const { lockTimeoutMs, answerTimeoutMs } = this.#settings;
    return { statementTimeoutMs: lockTimeoutMs + answerTimeoutMs };
  }

  /**
   * Nearly always a statement alone, which is its own transaction: one round trip. The settings are stated where the
   * defaults are others; a pooler that hands each transaction to another connection lets nobody set them beforehand.
   */
  async #transaction<T>(
    connection: Connection,
    run: (query: Query, fence: number) => Promise<T>,
    stated: boolean,
  ): Promise<T> {
    const query = this.#calls(connection, this.#sent(!stated));
    const fence = this.fence.current;
    if (!stated) {
      try {
        const result = await run(query, fence);
        connection.assertHeard();
        return result;
      } catch (error) {
        throw await this.#doubted(connection, fence, error);
      }
    }
    await connection.begin('READ COMMITTED', this.#writing);
    let result: T;
    try {
      result = await run(query, fence);
      connection.assertHeard();
    } catch (error) {
      // Without COMMIT nothing is stored.
      await connection.rollback();
      throw error;
    }
    await this.#commit(connection, fence);
    return result;
  }

  /** What is to be thrown for what was thrown when a commit was sent: whether it is stored is unknown, unless the server says. */
  async #doubted(connection: Connection, fence: number, error: unknown): Promise<unknown> {
    if (!(error instanceof Failed) || isNotSent(error)) return error;
    if (sqlState(error) !== undefined && (await connection.rollback())) return error;
    this.fence.doubt(fence);
    return unknownCommit(error, this.#settings.place);
  }

  /** What the caller is told of a failure. What isn't there may be gone with its schema. */
  async #told(error: unknown): Promise<unknown> {
    const { schema, log, place } = this.#settings;
    if (isMissing(error)) {
      try {
        await this.#connections.use('check', (connection) =>
          this.#stated(connection, () => assertSameLog(queryOn(connection), schema, log, place)),
        );
      } catch (found) {
        if (isTidemarkError(found)) return found;
      }
    }
    return translated(error, place);
  }
}

function rolledBack(): Failed {
  return new Failed(new Error('the transaction was rolled back'));
}
