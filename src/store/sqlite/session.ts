/**
 * A session: two connections, one that writes and one that reads, so that reads don't see an open exclusive
 * transaction of the same session. Nothing is read outside of a transaction: each answer is as of one end of the log.
 */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync } from 'node:sqlite';
import { hasCode, isTidemarkError, NotWritable, type TidemarkError } from '../../errors.ts';
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
import type { AnchorPlace, Clock } from '../clock.ts';
import { anchorTable } from './writing/anchor.ts';
import { Aside, type AsideOptions } from './upkeep/aside.ts';
import { appender } from './writing/append.ts';
import { check } from './upkeep/check.ts';
import { Checkpoints } from './upkeep/checkpoints.ts';
import type { Parts } from './upkeep/checkpoints.ts';
import { chain } from './reading/commits.ts';
import { documentsTable } from './reading/documents.ts';
import {
  closed,
  corrupt,
  isBusy,
  isDamage,
  lockTimeout,
  openedForReading,
  translated,
  unknownCommit,
} from './errors.ts';
import { one, urlOf } from './connecting/connection.ts';
import { cachedHeads } from './writing/heads.ts';
import { CACHE_BOUNDS, interned } from './writing/intern.ts';
import type { CacheBounds } from './writing/intern.ts';
import { loader } from './reading/load.ts';
import { Section } from '../section.ts';
import type { Offered } from '../section.ts';
import { kindOf, Turns } from '../turns.ts';
import { within } from '../within.ts';
import { Writes } from '../writes.ts';
import type { Write } from '../writes.ts';
import { Queue, whenFree } from './writing/lock.ts';
import { differenceOf } from '../registered.ts';
import { refuseNewer } from './connecting/log-file.ts';
import { reader } from './reading/read.ts';
import { registryTable } from './writing/registry.ts';
import { scanner } from './reading/scan.ts';
import { FORMAT } from './schema.ts';
import { typesTable } from './reading/types.ts';
import { tellWaiters, waitersOn } from './reading/waiting.ts';

/** How long closing waits for threads to end that are in the middle of a statement, in milliseconds. */
const LET_GO_MS = 500;
/** The longest that reads go on without a look at whether the file is still in place, in milliseconds: it
 * costs as much as the smallest of them. */
const LOOK_MS = 5;

export interface SessionOptions {
  readonly file: string;
  /** Nobody has the file open to write. */
  readonly settled?: boolean;
  readonly lockTimeoutMs: number;
  readonly clock: (shared: AnchorPlace) => Clock;
  /** Throws if the file was moved away or replaced since it was opened. */
  readonly inPlace: () => void;
  /** Where to tell of a write-ahead log that grows. */
  readonly warn?: Opening['warn'];
  /** {@link CACHE_BOUNDS} unless told otherwise. */
  readonly bounds?: CacheBounds;
}

/** What can be asked of a connection. */
function tables(database: DatabaseSync, bounds: CacheBounds) {
  const names = interned(database, bounds);
  const commits = chain(database, names);
  const types = typesTable(database, names, commits);
  const documents = loader(database, names, commits);
  return {
    database,
    interned: names,
    chain: commits,
    types,
    registry: registryTable(database, types),
    loader: documents,
    reader: reader(database, names, commits, documents),
    begin: database.prepare('BEGIN'),
    beginImmediate: database.prepare('BEGIN IMMEDIATE'),
    format: database.prepare('PRAGMA user_version'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
  };
}

type Tables = ReturnType<typeof tables>;

function writingTables(database: DatabaseSync, bounds: CacheBounds, options: Pick<SessionOptions, 'clock'>) {
  const writing = tables(database, bounds);
  const heads = cachedHeads(database, writing.chain, writing.loader, bounds.documents);
  const clock = options.clock(anchorTable(database));
  return { ...writing, heads, clock, append: appender(database, { ...writing, heads, clock }) };
}

type WritingTables = ReturnType<typeof writingTables>;

/** What an exclusive section can ask, within its transaction. */
function offered({ registry, append, loader, chain, reader }: WritingTables): Offered {
  return {
    registry: () => registry.registry(),
    append: (batch) => append.looking(batch),
    load: (requests, options) => loader.load(requests, options),
    ledger: (ids) => chain.ledger(ids),
    commits: (range) => chain.commits(range),
    read: (range) => reader.read(range),
  };
}

function isStored(appended: Appended | undefined): boolean {
  return appended?.status === 'stored';
}

export class SqliteSession implements Session {
  readonly readOnly: boolean;
  readonly #options: SessionOptions;
  readonly #queue = new Queue();
  readonly #turns = new Turns();
  readonly #waiters;
  readonly #writes = new Writes(() => closed(this.#options.file));
  readonly #writing: WritingTables | undefined;
  readonly #reading;
  readonly #checkpoints: Checkpoints | undefined;
  /** What runs in threads of its own. */
  readonly #asides = new Set<Aside>();
  #closed = false;
  /** What SQLite said of the file. It may still be read, as far as that goes; writing to it would make it worse. */
  #damaged: TidemarkError | undefined;
  #looked = 0;

  /** The connections are set up already, and are closed by the session; without a writer it is for reading alone. */
  constructor(writer: DatabaseSync | undefined, readonly: DatabaseSync, options: SessionOptions) {
    this.#options = options;
    this.readOnly = writer === undefined;
    const { bounds = CACHE_BOUNDS } = options;
    this.#writing = writer && writingTables(writer, bounds, options);
    const reading = tables(readonly, bounds);
    this.#reading = {
      ...reading,
      documents: documentsTable(readonly),
      scan: scanner(readonly, reading.interned, reading.chain),
    };
    const { file, warn } = options;
    const aside: Parts['aside'] = (setUp, work) => this.#withAside({ setUp }, work);
    this.#checkpoints = writer && new Checkpoints({ file, writer, reader: readonly, warn, aside });
    this.#waiters = waitersOn(readonly, options, async () => (await this.load([])).end);
  }

  registry(): Promise<Registry> {
    return this.#read('registry', () => this.#reading.registry.registry());
  }

  load(requests: readonly LoadRequest[], options?: LoadOptions): Promise<Loaded> {
    return this.#read(kindOf(requests.length === 0 ? 'end' : 'load', options), () =>
      this.#reading.loader.load(requests, options),
    );
  }

  read(range: LogRange | DocumentRange, options?: ForBatch): Promise<EventPage> {
    return this.#read(kindOf('read', options), () => this.#reading.reader.read(range));
  }

  scan(range: ScanRange, options?: ForBatch): Promise<ScanPage> {
    return this.#read(kindOf('scan', options), () => this.#reading.scan(range));
  }

  commits(range: CommitRange, options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#read(kindOf('commits', options), () => this.#reading.chain.commits(range));
  }

  ledger(ids: readonly string[], options?: ForBatch): Promise<readonly StoredCommit[]> {
    return this.#read(kindOf('ledger', options), () => this.#reading.chain.ledger(ids));
  }

  types(range: TypesRange): Promise<readonly HeldType[]> {
    return this.#read('types', () => this.#reading.types.types(range));
  }

  documents(range: DocumentsRange): Promise<readonly DocumentHead[]> {
    return this.#read('documents', () => this.#reading.documents.documents(range));
  }

  async moved(from: LogPoint, signal: AbortSignal): Promise<LogEnd> {
    if (this.#closed) throw closed(this.#options.file);
    return this.#waiters.wait(from, signal);
  }

  check(): Promise<readonly string[]> {
    return this.#check();
  }

  async health(): Promise<Health> {
    if (this.#closed) throw closed(this.#options.file);
    return { walBytes: this.#checkpoints?.walBytes };
  }

  async register(collections: readonly CollectionEntry[]): Promise<Registry> {
    if (this.readOnly) return this.#registered(collections);
    // An application that has nothing to register opens while another process holds the lock.
    this.#looked = -Infinity;
    const unchanged = await this.#read('registry', () => this.#reading.registry.unchangedBy(collections));
    if (unchanged) return unchanged;
    return this.#write(
      async ({ registry }) => registry.register(collections),
      () => true,
    );
  }

  async append(batch: Batch): Promise<Appended> {
    return this.#asked(async (writing, write) => {
      const appended = await this.#locked(writing, write, async ({ append }) => append.hoping(batch), isStored);
      // It holds a duplicate, and was rolled back: the whole of it once more, looking first.
      return appended ?? this.#locked(writing, write, async ({ append }) => append.looking(batch), isStored);
    });
  }

  async exclusive<T>(work: (locked: Locked) => Promise<T>): Promise<T> {
    const { file, inPlace } = this.#options;
    return this.#write(
      async (writing, write) => {
        const rules = { ...write, translated: (error: unknown) => translated(error, file) };
        try {
          const result = await new Section(offered(writing), rules).run(work);
          // The work may have taken long.
          inPlace();
          return result;
        } catch (error) {
          throw new Thrown(error);
        }
      },
      () => true,
    );
  }

  async close(closing?: Closing): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiters.fail(closed(this.#options.file));
    await this.#writes.close(closing);
    await Promise.all(Array.from(this.#asides, (aside) => within(this.#dismiss(aside), LET_GO_MS)));
    await this.#queue.idle();
    this.#reading.database.close();
    this.#writing?.database.close();
  }

  async #check(): Promise<readonly string[]> {
    const { file } = this.#options;
    // Whether it is the log that was opened, and of a format that is known. What comes after looks at the file too, not at
    // the pages that were read of it before.
    const sound = (): Promise<void> => {
      this.#looked = -Infinity;
      return this.#read('check', () => this.#reading.database.exec('PRAGMA shrink_memory'));
    };
    await sound();
    try {
      return await this.#withAside({ readOnly: true }, ({ look }) => check(look));
    } catch (error) {
      throw translated(error, file);
    } finally {
      await sound();
    }
  }

  async #withAside<T>(options: Omit<AsideOptions, 'timeout'>, work: (aside: Aside) => Promise<T>): Promise<T> {
    const { file, settled, lockTimeoutMs: timeout } = this.#options;
    const aside = new Aside(urlOf(file, settled), { ...options, timeout });
    this.#asides.add(aside);
    try {
      return await work(aside);
    } finally {
      await this.#dismiss(aside);
    }
  }

  async #dismiss(aside: Aside): Promise<void> {
    this.#asides.delete(aside);
    await aside.end(closed(this.#options.file));
  }

  /** What a session for reading says to collections: those that are registered as they are, may be. */
  async #registered(collections: readonly CollectionEntry[]): Promise<Registry> {
    const { file } = this.#options;
    const { registry } = this.#reading;
    const known = new Map((await this.registry()).collections.map((entry) => [entry.name, entry]));
    try {
      return await this.#read('registry', () => registry.register(collections));
    } catch (error) {
      if (!hasCode(error, 'NotWritable')) throw error;
      const names = collections
        .filter((entry) => {
          const registered = known.get(entry.name);
          return registered === undefined || differenceOf(registered, entry).added.length > 0;
        })
        .map(({ name }) => name);
      throw new NotWritable(
        `${file} was opened for reading (readOnly), and ${names.join(', ')} isn't registered with it as it is ` +
          'here. Open it once without readOnly, with these collections, or leave them out.',
        { file, readOnly: true, collections: names },
        error,
      );
    }
  }

  /** Runs a read as of one end of the log, in the turn of its kind. */
  async #read<T>(kind: string, run: () => T): Promise<T> {
    const { file, lockTimeoutMs, inPlace } = this.#options;
    const attempt = (): T => {
      if (this.#closed) throw closed(file);
      const now = performance.now();
      if (now - this.#looked >= LOOK_MS) {
        inPlace();
        this.#looked = now;
      }
      const { begin, commit, database, interned } = this.#reading;
      begin.run();
      try {
        this.#sameFormat(this.#reading);
        const result = run();
        commit.run();
        return result;
      } catch (error) {
        if (database.isTransaction) rollback(this.#reading);
        interned.forget();
        this.#lookAfter(error);
        throw error;
      }
    };
    try {
      // Readers wait for nobody in WAL mode, but for a moment while a log is recovered or closed.
      return await this.#turns.run(kind, () =>
        whenFree(attempt, lockTimeoutMs, (waitedMs) => lockTimeout(file, waitedMs)),
      );
    } catch (error) {
      throw translated(error, file);
    }
  }

  /** Runs `work` with the write lock held, in its turn, and commits if `keep` says so of what it returns. */
  #write<T>(work: (writing: WritingTables, write: Write) => Promise<T>, keep: (result: T) => boolean): Promise<T> {
    return this.#asked((writing, write) => this.#locked(writing, write, work, keep));
  }

  /** One of the writes that were asked for, in its turn. */
  async #asked<T>(work: (writing: WritingTables, write: Write) => Promise<T>): Promise<T> {
    const { file } = this.#options;
    const writing = this.#writing;
    if (this.#closed) throw closed(file);
    if (writing === undefined) throw openedForReading(file);
    return this.#writes.run((write) => this.#queue.run(() => work(writing, write)));
  }

  async #locked<T>(
    writing: WritingTables,
    write: Write,
    work: (writing: WritingTables, write: Write) => Promise<T>,
    keep: (result: T) => boolean,
  ): Promise<T> {
    const { file, lockTimeoutMs, inPlace } = this.#options;
    if (this.#damaged) throw this.#damaged;
    const { beginImmediate, interned, heads } = writing;
    try {
      await whenFree(
        () => {
          write.assertGoing();
          beginImmediate.run();
        },
        lockTimeoutMs,
        (waitedMs) => lockTimeout(file, waitedMs),
      );
    } catch (error) {
      this.#lookAfter(error);
      throw translated(error, file);
    }
    let result: T;
    try {
      inPlace();
      this.#sameFormat(writing);
      result = await work(writing, write);
      write.stores();
    } catch (error) {
      this.#rollback(writing);
      interned.forget();
      heads.forget();
      this.#lookAfter(error);
      throw error instanceof Thrown ? error.error : translated(error, file);
    }
    if (keep(result)) this.#commit(writing);
    else this.#rollback(writing);
    return result;
  }

  /** Asked in each transaction: a newer release may have brought the file to a format that this one doesn't know. */
  #sameFormat({ format }: Pick<Tables, 'format'>): void {
    const [found] = one<[number]>(format)!;
    if (found === FORMAT) return;
    refuseNewer(this.#options.file, found);
    throw corrupt(`it is of format ${found}, and was of format ${FORMAT}`);
  }

  /** What SQLite fails to read may have been taken away under it: that is then what the caller is told. */
  #lookAfter(error: unknown): void {
    if (error instanceof Thrown || isTidemarkError(error) || isBusy(error)) return;
    this.#options.inPlace();
    if (isDamage(error)) this.#damaged ??= translated(error, this.#options.file);
  }

  #rollback(writing: WritingTables): void {
    rollback(writing);
    writing.clock.forget?.();
  }

  #commit(writing: WritingTables): void {
    const { commit, interned, heads } = writing;
    const { file } = this.#options;
    try {
      commit.run();
    } catch (error) {
      this.#rollback(writing);
      interned.forget();
      heads.forget();
      throw isBusy(error) ? lockTimeout(file, undefined, error) : unknownCommit(error, file);
    }
    this.#checkpoints?.committed(performance.now());
    tellWaiters(file);
  }
}

/** An error of the caller's own work, to be handed on as it is. */
class Thrown extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super('thrown by the work under the write lock');
    this.error = error;
  }
}

function rollback({ database, rollback }: Pick<Tables, 'database' | 'rollback'>): void {
  try {
    // SQLite has rolled back by itself after some errors.
    if (database.isTransaction) rollback.run();
  } catch {
    // What failed before is what the caller is told; closing the connection ends the transaction in any case.
  }
}
