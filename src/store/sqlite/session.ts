/**
 * A session: two connections, one that writes and one that reads, so that reads don't see an open exclusive transaction of
 * the same session.
 */
import type { DatabaseSync } from 'node:sqlite';
import type {
  Appended,
  Batch,
  Closing,
  CollectionEntry,
  CommitRange,
  DocumentHead,
  DocumentRange,
  DocumentsRange,
  EventPage,
  Health,
  HeldType,
  Loaded,
  ForBatch,
  LoadOptions,
  LoadRequest,
  Locked,
  LogEnd,
  LogPoint,
  LogRange,
  Opening,
  Registry,
  ScanPage,
  ScanRange,
  Session,
  StoredCommit,
  TypesRange,
} from '../store.ts';
import { Section } from '../section.ts';
import type { Offered } from '../section.ts';
import { kindOf } from '../turns.ts';
import { urlOf } from './connecting/connection.ts';
import { closed, notRegistered, translated } from './errors.ts';
import { Waiting } from './reading/waiting.ts';
import type { WritingRoles } from './roles.ts';
import { Thrown, Transactions } from './transactions.ts';
import type { TransactionOptions } from './transactions.ts';
import { Asides } from './upkeep/asides.ts';
import { check } from './upkeep/check.ts';
import { Checkpoints } from './upkeep/checkpoints.ts';

export interface SessionOptions extends TransactionOptions {
  /** Nobody has the file open to write. */
  readonly settled?: boolean;
  /** Where to tell of a write-ahead log that grows. */
  readonly warn?: Opening['warn'];
}

export class SqliteSession implements Session {
  readonly readOnly: boolean;
  readonly #options: SessionOptions;
  readonly #reader: DatabaseSync;
  readonly #transactions: Transactions;
  readonly #waiting: Waiting;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #asides: Asides;

  /** The connections are set up already, and are closed by the session; without a writer it is for reading alone. */
  constructor(writer: DatabaseSync | undefined, reader: DatabaseSync, options: SessionOptions) {
    const { file, settled, lockTimeoutMs, warn } = options;
    this.readOnly = writer === undefined;
    this.#options = options;
    this.#reader = reader;
    this.#asides = new Asides(urlOf(file, settled), lockTimeoutMs, () => closed(file));
    this.#transactions = new Transactions(writer, reader, options, (now) => {
      this.#checkpoints?.committed(now);
      this.#waiting.tell();
    });
    this.#checkpoints = writer && new Checkpoints({ file, writer, reader, warn, asides: this.#asides });
    this.#waiting = new Waiting(reader, async () => (await this.load([])).end, options);
  }

  registry(): Promise<Registry> {
    return this.#transactions.read('registry', ({ registry }) => registry.registry());
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    // An application that has nothing to register opens while another process holds the lock.
    this.#transactions.lookNext();
    const unchanged = await this.#transactions.read('registry', ({ registry }) => registry.unchangedBy(collections));
    if (unchanged) return unchanged;
    if (!this.readOnly) return this.#transactions.write(({ roles }) => roles.registry.register(collections));
    const lacking = await this.#transactions.read('registry', ({ registry }) => registry.lacking(collections));
    throw notRegistered(this.#options.file, lacking);
  }

  append(batch: Batch): Promise<Appended> {
    return this.#transactions.inTurn(async (use) => {
      const appended = await use(({ appender }) => appender.tryAppend(batch), isStored);
      // It holds a duplicate, and was rolled back: the whole of it once more, looking first.
      return appended ?? use(({ appender }) => appender.append(batch), isStored);
    });
  }

  exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    const { file, inPlace } = this.#options;
    return this.#transactions.write(async (writing, write) => {
      const rules = { ...write, translated: (error: unknown) => translated(error, file) };
      try {
        const result = await new Section(offered(writing), rules).run(work);
        // The work may have taken long.
        inPlace();
        return result;
      } catch (error) {
        throw new Thrown(error);
      }
    });
  }

  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    const kind = kindOf(requests.length === 0 ? 'end' : 'load', options);
    return this.#transactions.read(kind, ({ loader }) => loader.load(requests, options));
  }

  read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage> {
    return this.#transactions.read(kindOf('read', options), ({ reader }) => reader.read(range));
  }

  scan(range: ScanRange, options?: ForBatch): Promise<ScanPage> {
    return this.#transactions.read(kindOf('scan', options), ({ scanner }) => scanner.scan(range));
  }

  commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#transactions.read(kindOf('commits', options), ({ commits }) => commits.commits(range));
  }

  ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#transactions.read(kindOf('ledger', options), ({ commits }) => commits.ledger(ids));
  }

  types(range: TypesRange): Promise<readonly HeldType[]> {
    return this.#transactions.read('types', ({ types }) => types.types(range));
  }

  documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#transactions.read('documents', ({ documents }) => documents.documents(range));
  }

  async moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    this.#transactions.assertOpen();
    return this.#waiting.waiters.wait(from, signal);
  }

  async health(): Promise<Health> {
    this.#transactions.assertOpen();
    return { walBytes: this.#checkpoints?.walBytes };
  }

  async check(): Promise<readonly string[]> {
    await this.#sound();
    try {
      return await this.#asides.run({ readOnly: true }, ({ look }) => check(look));
    } catch (error) {
      throw translated(error, this.#options.file);
    } finally {
      await this.#sound();
    }
  }

  async close(closing?: Closing): Promise<void> {
    if (this.#transactions.isClosed) return;
    const stopped = this.#transactions.stop(closing);
    this.#waiting.close(closed(this.#options.file));
    await stopped;
    await this.#asides.close();
    await this.#transactions.close();
  }

  /**
   * Whether it is the log that was opened, and of a format that is known. What comes after looks at the file too, not at the
   * pages that were read of it before.
   */
  #sound(): Promise<void> {
    this.#transactions.lookNext();
    return this.#transactions.read('check', () => this.#reader.exec('PRAGMA shrink_memory'));
  }
}

/** What an exclusive section can ask, within its transaction. */
function offered({ appender, roles: { registry, loader, reader, commits } }: WritingRoles): Offered {
  return {
    registry: () => registry.registry(),
    append: (batch) => appender.append(batch),
    load: (requests, options) => loader.load(requests, options),
    ledger: (ids) => commits.ledger(ids),
    commits: (range) => commits.commits(range),
    read: (range) => reader.read(range),
  };
}

function isStored(appended: Appended | undefined): boolean {
  return appended?.status === 'stored';
}
