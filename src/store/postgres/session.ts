/**
 * A session. Reads use connections of the pool, writes go one after the other. Every read is one statement: it is of one end
 * of the log, and can be asked again on another connection if its own is lost.
 */
import { assertBatch } from '../batch.ts';
import type { Appended, Batch, Locked, Session } from '../store.ts';
import { kindOf } from '../turns.ts';
import type { Offered } from '../section.ts';
import type { Connection } from './connecting/connection.ts';
import type { Connections } from './connecting/connections.ts';
import type { Settings } from './connecting/options.ts';
import type { PostgresPool } from './connecting/pool.ts';
import { closed, fencedOff } from './errors.ts';
import type { Calls } from './functions.ts';
import { Waiting } from './reading/waiting.ts';
import { Roles } from './roles.ts';
import { quoted } from './schema.ts';
import { Transactions, type OpenedLog } from './transactions.ts';
import { check } from './upkeep/check.ts';
import { sweep } from './upkeep/sweep.ts';
import { AGAIN } from './writing/append.ts';
import { KnownDocuments } from './writing/known.ts';

export interface SessionSettings extends Settings, OpenedLog {
  /** Where its connections come from; the first of several. */
  readonly pool: PostgresPool;
  /** How many connections there can be at once. */
  readonly connectionsMax: number;
}

export class PostgresSession implements Session {
  readonly #transactions: Transactions;
  readonly #settings: SessionSettings;
  readonly #schema: string;
  readonly #roles: Roles;
  readonly #known = new KnownDocuments();
  readonly #waiting: Waiting;
  #closed = false;

  /** The connections are ended by the session. */
  constructor(connections: Connections, settings: SessionSettings) {
    this.#transactions = new Transactions(connections, settings);
    this.#settings = settings;
    this.#schema = quoted(settings.schema);
    this.#roles = new Roles(this.#schema, { ...settings, session: this.#transactions.fence.session });
    this.#waiting = new Waiting(connections, async () => (await this.load([])).end, settings);
  }

  readonly registry: Session['registry'] = () =>
    this.#transactions.read('registry', (query) => this.#roles.registry.registry(query));

  readonly change: Session['change'] = async (judge) => {
    const { registry } = this.#roles;
    const unchanged = await this.#transactions.read('registry', (query) => registry.unchangedBy(query, judge));
    return unchanged ?? this.#transactions.locked((query) => registry.change(query, judge));
  };

  readonly sweep: Session['sweep'] = () =>
    this.#transactions.beside('sweep', (query) => sweep(query, this.#schema, this.#settings.lockTimeoutMs));

  readonly advance: Session['advance'] = (step) =>
    this.#transactions.beside('advance', (query) => this.#roles.sets.advance(query, step));

  async append(batch: Batch): Promise<Appended> {
    this.#transactions.assertOpen();
    assertBatch(batch);
    for (;;) {
      const { appended, learn } = await this.#transactions.write((query, fence) =>
        this.#roles.appender.append(query, batch, fence, this.#known),
      );
      // A fence was raised for an earlier append meanwhile, or the log isn't the one that documents are known of.
      if (appended.status === AGAIN.status) continue;
      learn?.();
      if (appended.status === 'stored') this.#waiting.tell();
      return appended;
    }
  }

  async exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    const result = await this.#transactions.exclusive(work, (query, connection) => this.#offered(query, connection));
    this.#waiting.tell();
    return result;
  }

  readonly load: Session['load'] = (requests, options) =>
    this.#transactions.read(kindOf(requests.length === 0 ? 'end' : 'load', options), (query) =>
      this.#roles.loader.load(query, requests, options),
    );

  readonly read: Session['read'] = (range, options) =>
    this.#transactions.read(kindOf('read', options), (query) => this.#roles.reader.read(query, range));

  readonly scan: Session['scan'] = (range, options) =>
    this.#transactions.read(kindOf('scan', options), (query) => this.#roles.scanner.scan(query, range));

  readonly commits: Session['commits'] = (range, options) =>
    this.#transactions.read(kindOf('commits', options), (query) => this.#roles.commits.commits(query, range));

  readonly ledger: Session['ledger'] = async (ids, options) => {
    await this.#transactions.settled();
    return this.#transactions.read(kindOf('ledger', options), (query) => this.#roles.commits.ledger(query, ids));
  };

  readonly types: Session['types'] = (range) =>
    this.#transactions.read('types', (query) => this.#roles.types.types(query, range));

  readonly stored: Session['stored'] = (range) =>
    this.#transactions.read('stored', (query) => this.#roles.storedDocuments.stored(query, range));

  readonly documents: Session['documents'] = (range) =>
    this.#transactions.read('documents', (query) => this.#roles.documents.documents(query, range));

  readonly moved: Session['moved'] = async (from, signal) => {
    this.#transactions.assertOpen();
    return this.#waiting.waiters.wait(from, signal);
  };

  readonly check: Session['check'] = (rest) =>
    check(async (run) => {
      await rest?.();
      return this.#transactions.inTransaction(run);
    }, this.#schema);

  readonly close: Session['close'] = async ({ timeoutMs } = {}) => {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.close(closed(this.#settings.place));
    await this.#transactions.close(timeoutMs);
  };

  /** What an exclusive section can ask, within its transaction. */
  #offered(query: Calls, connection: Connection): Offered {
    const { registry, appender, attacher, loader, reader, scanner, commits, sets, storedDocuments } = this.#roles;
    return {
      registry: () => registry.registry(query),
      append: async (batch) => {
        assertBatch(batch);
        // It may still be rolled back, so nothing is learned from it, and nobody told.
        const { appended } = await appender.append(query, batch, this.#transactions.fence.current);
        connection.assertHeard();
        if (appended.status === AGAIN.status) throw fencedOff(this.#settings.place);
        return appended;
      },
      load: (requests, options) => loader.load(query, requests, options),
      ledger: (ids) => commits.ledger(query, ids),
      commits: (range) => commits.commits(query, range),
      read: (range) => reader.read(query, range),
      scan: (range) => scanner.scan(query, range),
      stored: async (range) => {
        await sets.hold(query, range.set);
        return storedDocuments.stored(query, range);
      },
      attach: (page) => attacher.attach(query, page),
      fillIndex: (page) => sets.fillIndex(query, page),
    };
  }
}
