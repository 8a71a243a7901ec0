/**
 * A session: reads each on a connection of the pool, writes one after the other. Every read is one statement, so it is as
 * of one end of the log, and may be asked again on another connection if its own is lost.
 */
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
  HeldType,
  Loaded,
  ForBatch,
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
  TypesRange,
} from '../store.ts';
import { kindOf } from '../turns.ts';
import { AGAIN, appender } from './writing/append.ts';
import type { Sender } from './writing/append.ts';
import { check } from './upkeep/check.ts';
import { chain } from './reading/commits.ts';
import type { Connection, Query } from './connecting/connection.ts';
import type { Connections } from './connecting/connections.ts';
import { documentsTable } from './reading/documents.ts';
import { closed, fencedOff, translated } from './errors.ts';
import { runLocked } from './writing/exclusive.ts';
import { call } from './functions.ts';
import { KnownDocuments } from './writing/known.ts';
import { loader } from './reading/load.ts';
import type { Settings } from './connecting/options.ts';
import type { PostgresPool } from './connecting/pool.ts';
import { reader } from './reading/read.ts';
import { registryTable } from './writing/registry.ts';
import { scanner } from './reading/scan.ts';
import { quoted } from './schema.ts';
import { Transactions } from './transactions.ts';
import type { OpenedLog } from './transactions.ts';
import { typesTable } from './reading/types.ts';
import { Waiting } from './reading/waiting.ts';

/** How long the work under the write lock may pause between two statements, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

export interface SessionSettings extends Settings, OpenedLog {
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
    types: typesTable(schema),
    documents: documentsTable(schema),
    registry: registryTable(schema),
    append: appender(schema),
  };
}

export class PostgresSession implements Session {
  readonly #transactions: Transactions;
  readonly #settings: SessionSettings;
  readonly #schema: string;
  readonly #raise: string;
  readonly #lock: string;
  readonly #tables;
  readonly #known = new KnownDocuments();
  readonly #waiting: Waiting;
  #closed = false;

  /** The connections are ended by the session. */
  constructor(connections: Connections, settings: SessionSettings) {
    this.#transactions = new Transactions(connections, settings);
    this.#settings = settings;
    this.#schema = quoted(settings.schema);
    this.#raise = call(this.#schema, 'fence_v1', 3);
    this.#lock = call(this.#schema, 'lock_v1', 1);
    this.#tables = tables(this.#schema);
    this.#waiting = new Waiting(connections, async () => (await this.load([])).end, settings);
  }

  registry(): Promise<Registry> {
    return this.#transactions.read('registry', (query) => this.#tables.registry.registry(query));
  }

  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    return this.#transactions.read(kindOf(requests.length === 0 ? 'end' : 'load', options), (query) =>
      this.#tables.load(query, requests, options),
    );
  }

  read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage> {
    return this.#transactions.read(kindOf('read', options), (query) => this.#tables.read(query, range));
  }

  scan(range: ScanRange, options?: ForBatch): Promise<ScanPage> {
    return this.#transactions.read(kindOf('scan', options), (query) => this.#tables.scan(query, range));
  }

  commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#transactions.read(kindOf('commits', options), (query) => this.#tables.chain.commits(query, range));
  }

  async ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]> {
    await this.#transactions.settled(this.#raise);
    return this.#transactions.read(kindOf('ledger', options), (query) => this.#tables.chain.ledger(query, ids));
  }

  types(range: TypesRange): Promise<readonly HeldType[]> {
    return this.#transactions.read('types', (query) => this.#tables.types(query, range));
  }

  documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#transactions.read('documents', (query) => this.#tables.documents(query, range));
  }

  async moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    this.#transactions.assertOpen();
    return this.#waiting.waiters.wait(from, signal);
  }

  check(rest?: () => Promise<void>): Promise<readonly string[]> {
    return check(async (run) => {
      await rest?.();
      return this.#transactions.look(run);
    }, this.#schema);
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    const { lockTimeoutMs } = this.#settings;
    // An application that has nothing to register opens while another holds the lock.
    const unchanged = await this.#transactions.read('registry', (query) =>
      this.#tables.registry.unchangedBy(query, collections),
    );
    if (unchanged) return unchanged;
    return this.#transactions.write((query) => this.#tables.registry.register(query, collections, lockTimeoutMs));
  }

  async append(batch: Batch): Promise<Appended> {
    this.#transactions.assertOpen();
    assertBatch(batch);
    for (;;) {
      const { appended, learn } = await this.#transactions.write((query, fence) => {
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
    this.#transactions.assertOpen();
    const { place, lockTimeoutMs, answerTimeoutMs } = this.#settings;
    return this.#transactions.inTurn(async (use) => {
      await this.#transactions.settled(this.#raise);
      const options = {
        lock: this.#lock,
        log: this.#settings.log,
        lockTimeoutMs,
        idleTimeoutMs: IDLE_TIMEOUT_MS,
        answerTimeoutMs,
        offers: (query: Query, connection: Connection) => this.#offers(query, connection),
        translate: (error: unknown) => translated(error, place),
      };
      return this.#transactions.untilSent(() =>
        use(async (connection) => {
          const worked = await runLocked(connection, work, options);
          if ('thrown' in worked) {
            await connection.rollback();
            throw worked.thrown;
          }
          await this.#transactions.commit(connection, this.#transactions.fence.current).catch((error: unknown) => {
            // The work has run, so it isn't run again whatever was sent.
            throw translated(error, place);
          });
          this.#waiting.tell();
          return worked.result;
        }),
      );
    });
  }

  async close({ timeoutMs }: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.close(closed(this.#settings.place));
    await this.#transactions.close(timeoutMs);
  }

  #sender(fence: number): Sender {
    const { lockTimeoutMs, synchronousCommit, clock } = this.#settings;
    return { session: this.#transactions.fence.session, fence, lockTimeoutMs, synchronousCommit, clock };
  }

  #offers(query: Query, connection: Connection): Locked {
    const { registry, load, read, chain, append } = this.#tables;
    return {
      registry: () => registry.registry(query),
      load: (requests, options) => load(query, requests, options),
      ledger: (ids) => chain.ledger(query, ids),
      commits: (range) => chain.commits(query, range),
      read: (range) => read(query, range),
      append: async (batch) => {
        assertBatch(batch);
        // It may still be rolled back: nothing is learned from it, and nothing told.
        const { appended } = await append(
          query,
          batch,
          this.#sender(this.#transactions.fence.current),
          new KnownDocuments(),
        );
        connection.assertHeard();
        if (appended.status === AGAIN.status) throw fencedOff(this.#settings.place);
        return appended;
      },
    };
  }
}
