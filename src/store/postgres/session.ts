/**
 * A session: reads each on a connection of the pool, writes one after the other. Every read is one statement, so it is as
 * of one end of the log, and may be asked again on another connection if its own is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assertBatch } from '../batch.ts';
import type {
  Appended,
  Batch,
  CollectionEntry,
  CommitRange,
  DocumentHead,
  DocumentRange,
  DocumentsRange,
  EventPage,
  Loaded,
  LoadOptions,
  LoadRequest,
  Locked,
  LogEnd,
  LogPoint,
  LogRange,
  Registry,
  ScanPage,
  ScanRange,
  Session,
  StoredCommit,
} from '../store.ts';
import { AGAIN, appender } from './append.ts';
import type { Sender } from './append.ts';
import { check } from './check.ts';
import { chain } from './commits.ts';
import type { Connection, Connections, Query } from './connection.ts';
import { documentsTable } from './documents.ts';
import {
  closed,
  Failed,
  fencedOff,
  isLost,
  isNotSent,
  over,
  sqlState,
  translated,
  unknownCommit,
  WRONG_ISOLATION,
} from './errors.ts';
import { runLocked } from './exclusive.ts';
import { Fence } from './fence.ts';
import { KnownDocuments } from './known.ts';
import { loader } from './load.ts';
import { Queue } from './lock.ts';
import type { Settings } from './options.ts';
import type { PostgresPool } from './pool.ts';
import { reader } from './read.ts';
import { registryTable } from './registry.ts';
import { scanner } from './scan.ts';
import { quoted } from './schema.ts';
import { Waiting } from './waiting.ts';

/** How long the work under the write lock may pause between two statements, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;
/** The pause before a statement is sent again on another connection, in milliseconds. */
const PAUSE_MS = 20;

export interface SessionSettings extends Settings {
  /** Whether the server's default isolation level is another than READ COMMITTED. */
  readonly stateIsolation: boolean;
  /** Where its connections come from: of several the first. */
  readonly pool: PostgresPool;
  /** Connections there can be at once. */
  readonly connectionsMax: number;
}

/** What can be asked of a log, each by a query that it is given. */
function tables(schema: string) {
  return {
    chain: chain(schema),
    load: loader(schema),
    read: reader(schema),
    scan: scanner(schema),
    documents: documentsTable(schema),
    registry: registryTable(schema),
    append: appender(schema),
  };
}

export class PostgresSession implements Session {
  readonly capabilities = Object.freeze({ exclusive: true });
  readonly #connections: Connections;
  readonly #settings: SessionSettings;
  readonly #schema: string;
  readonly #tables;
  readonly #queue = new Queue();
  readonly #fence = new Fence();
  readonly #known = new KnownDocuments();
  readonly #waiting: Waiting;
  #stateIsolation: boolean;
  #closed = false;

  /** The connections are ended by the session. */
  constructor(connections: Connections, settings: SessionSettings) {
    this.#connections = connections;
    this.#settings = settings;
    this.#stateIsolation = settings.stateIsolation;
    this.#schema = quoted(settings.schema);
    this.#tables = tables(this.#schema);
    this.#waiting = new Waiting(connections, async () => (await this.load([])).end, settings);
  }

  registry(): Promise<Registry> {
    return this.#read((query) => this.#tables.registry.registry(query));
  }

  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    return this.#read((query) => this.#tables.load(query, requests, options));
  }

  read(range: LogRange | DocumentRange): Promise<EventPage> {
    return this.#read((query) => this.#tables.read(query, range));
  }

  scan(range: ScanRange): Promise<ScanPage> {
    return this.#read((query) => this.#tables.scan(query, range));
  }

  commits(range: CommitRange): Promise<readonly StoredCommit[]> {
    return this.#read((query) => this.#tables.chain.commits(query, range));
  }

  async ledger(ids: readonly string[]): Promise<readonly StoredCommit[]> {
    await this.#settled();
    return this.#read((query) => this.#tables.chain.ledger(query, ids));
  }

  documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#read((query) => this.#tables.documents(query, range));
  }

  async moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    this.#assertOpen();
    return this.#waiting.waiters.wait(from, signal);
  }

  check(): Promise<readonly string[]> {
    return this.#retried((connection) => check(connection, this.#schema));
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    const { lockTimeoutMs } = this.#settings;
    return this.#write((query) => this.#tables.registry.register(query, collections, lockTimeoutMs));
  }

  async append(batch: Batch): Promise<Appended> {
    this.#assertOpen();
    assertBatch(batch);
    for (;;) {
      const { appended, learn } = await this.#write((query, fence) => {
        return this.#tables.append(query, batch, this.#sender(fence), this.#known);
      });
      // Overtaken by a fence that was raised for an append before it, or too sure of a log that was replaced.
      if (appended.status === AGAIN.status) continue;
      learn?.();
      if (appended.status === 'stored') this.#waiting.tell();
      return appended;
    }
  }

  async exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const { place, lockTimeoutMs, answerTimeoutMs } = this.#settings;
    return this.#queue.run(async () => {
      await this.#settled();
      const options = {
        schema: this.#schema,
        lockTimeoutMs,
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        answerTimeoutMs,
        offers: (query: Query) => this.#offers(query),
        translate: (error: unknown) => translated(error, place),
        over: () => over(place),
      };
      return this.#translating(() =>
        this.#connections.use(async (connection) => {
          const worked = await runLocked(connection, work, options);
          if ('thrown' in worked) {
            await connection.rollback();
            throw worked.thrown;
          }
          await this.#commit(connection, this.#fence.current);
          this.#waiting.tell();
          return worked.result;
        }),
      );
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.close(closed(this.#settings.place));
    await this.#queue.idle();
    await this.#connections.end();
  }

  #assertOpen(): void {
    if (this.#closed) throw closed(this.#settings.place);
  }

  #sender(fence: number): Sender {
    const { lockTimeoutMs, synchronousCommit, clock } = this.#settings;
    return { session: this.#fence.session, fence, lockTimeoutMs, synchronousCommit, clock };
  }

  #offers(query: Query): Locked {
    const { registry, load, chain, append } = this.#tables;
    return {
      registry: () => registry.registry(query),
      load: (requests, options) => load(query, requests, options),
      ledger: (ids) => chain.ledger(query, ids),
      append: async (batch) => {
        assertBatch(batch);
        // It may still be rolled back: nothing is learned from it, and nothing told.
        const { appended } = await append(query, batch, this.#sender(this.#fence.current), new KnownDocuments());
        if (appended.status === AGAIN.status) throw fencedOff(this.#settings.place);
        return appended;
      },
    };
  }

  /** Waits until what the ledger says of earlier appends is final (fence.ts). */
  #settled(): Promise<void> {
    const { lockTimeoutMs, answerTimeoutMs } = this.#settings;
    const raise = `SELECT ${this.#schema}.fence_v1($1, $2, $3)`;
    return this.#fence.settle((fence) =>
      this.#retried(async (connection) => {
        const parameters = [this.#fence.session, String(fence), String(lockTimeoutMs)];
        // At another level two that remove the same old fences would collide.
        if (this.#stateIsolation) await connection.begin('READ COMMITTED');
        await connection.query(raise, parameters, lockTimeoutMs + answerTimeoutMs);
        if (this.#stateIsolation) await connection.commit();
      }),
    );
  }

  #read<T>(run: (query: Query) => Promise<T>): Promise<T> {
    return this.#retried((connection) => run((text, parameters) => connection.query(text, parameters)));
  }

  /** Runs what may be run twice: on another connection if its own is lost. */
  async #retried<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
    const { connectTimeoutMs } = this.#settings;
    const end = performance.now() + connectTimeoutMs;
    return this.#translating(async () => {
      for (;;) {
        this.#assertOpen();
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
  async #write<T>(run: (query: Query, fence: number) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const end = performance.now() + this.#settings.connectTimeoutMs;
    return this.#queue.run(() =>
      this.#translating(async () => {
        for (;;) {
          try {
            return await this.#connections.use((connection) => this.#transaction(connection, run));
          } catch (error) {
            const refused = error instanceof Failed && sqlState(error) === WRONG_ISOLATION;
            // The default of the database was changed since the session was opened.
            if (refused && !this.#stateIsolation) this.#stateIsolation = true;
            else if (!isNotSent(error) || performance.now() >= end) throw error;
          }
        }
      }),
    );
  }

  /**
   * Nearly always a statement alone, which is its own transaction: one round trip. The level is stated where the default
   * is another; a pooler that hands each transaction to another connection lets nobody set it beforehand.
   */
  async #transaction<T>(connection: Connection, run: (query: Query, fence: number) => Promise<T>): Promise<T> {
    const { lockTimeoutMs, answerTimeoutMs, place } = this.#settings;
    const query: Query = (text, parameters) => connection.query(text, parameters, lockTimeoutMs + answerTimeoutMs);
    const fence = this.#fence.current;
    if (this.#stateIsolation) {
      await connection.begin('READ COMMITTED');
      let result: T;
      try {
        result = await run(query, fence);
      } catch (error) {
        // Without COMMIT nothing is stored.
        await connection.rollback();
        throw error;
      }
      await this.#commit(connection, fence);
      return result;
    }
    try {
      return await run(query, fence);
    } catch (error) {
      if (!(error instanceof Failed) || isNotSent(error)) throw error;
      if (sqlState(error) !== undefined && (await connection.rollback())) throw error;
      this.#fence.doubt(fence);
      throw unknownCommit(error, place);
    }
  }

  async #commit(connection: Connection, fence: number): Promise<void> {
    let committed: boolean;
    try {
      committed = await connection.commit();
    } catch (error) {
      if (!(error instanceof Failed) || isNotSent(error)) throw error;
      if (sqlState(error) !== undefined && (await connection.rollback())) throw error;
      this.#fence.doubt(fence);
      throw unknownCommit(error, this.#settings.place);
    }
    if (!committed) throw new Failed(new Error('the transaction was rolled back'));
  }

  async #translating<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw translated(error, this.#settings.place);
    }
  }
}
