/**
 * The transactions of a session: reads on one connection, each in the turn of its kind; writes on the other, one after the
 * other. Nothing is read outside a transaction: each answer is as of one end of the log.
 */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync } from 'node:sqlite';
import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { AnchorPlace, Clock } from '../clock.ts';
import type { Closing } from '../store.ts';
import { Turns } from '../turns.ts';
import { Writes, type Write } from '../writes.ts';
import type { Flushing } from './connecting/flushing.ts';
import { Transaction } from './connecting/transaction.ts';
import { closed, isBusy, isDamage, lockTimeout, openedForReading, translated, unknownCommit } from './errors.ts';
import { rolesOf, writingRolesOf, type Roles, type WritingRoles } from './roles.ts';
import { CACHE_BOUNDS, type CacheBounds } from './writing/interned.ts';
import { Queue, whenFree } from './writing/lock.ts';

/** The longest time between two looks whether the file is still in place, in milliseconds: a look costs as much as a small read. */
const LOOK_MS = 5;

export interface TransactionOptions {
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly clock: (shared: AnchorPlace) => Clock;
  /** Throws if the file was moved away or replaced since it was opened. */
  readonly inPlace: () => void;
  /** {@link CACHE_BOUNDS} unless told otherwise. */
  readonly bounds?: CacheBounds;
}

/** What a write does under the lock. */
export type Work<T> = (roles: WritingRoles, write: Write) => T | Promise<T>;

/** Runs work in a transaction with the write lock, and commits if `keep` is true of its result. */
export type Use = <T>(work: Work<T>, keep: (result: T) => boolean, purpose?: Purpose) => Promise<T>;

/** `log`: the commit is as durable as the log. `made`: it needn't be, as what it writes can be made from the log again. */
export type Purpose = 'log' | 'made';

/** The connection that writes. */
export interface Writer {
  readonly database: DatabaseSync;
  readonly flushing: Flushing;
}

/** A connection, with its transactions and what can be asked in them. */
type Side<R> = ReturnType<typeof sideOf<R>>;

export class Transactions {
  isClosed = false;
  readonly #options: TransactionOptions;
  readonly #committed: (now: number, purpose: Purpose) => void;
  readonly #flushing: Flushing | undefined;
  readonly #turns = new Turns();
  readonly #queue = new Queue();
  readonly #writes = new Writes(() => closed(this.#options.file));
  readonly #reading: Side<Roles>;
  readonly #writing: Side<WritingRoles> | undefined;
  /** What SQLite said if it found damage. Reads go on as far as they can; a write would make it worse. */
  #damaged: TidemarkError | undefined;
  #looked = 0;

  /** Without a writer it is only for reading. `committed` is called after each commit. */
  constructor(
    writer: Writer | undefined,
    reader: DatabaseSync,
    options: TransactionOptions,
    committed: (now: number, purpose: Purpose) => void,
  ) {
    const { bounds = CACHE_BOUNDS, clock } = options;
    this.#options = options;
    this.#committed = committed;
    this.#flushing = writer?.flushing;
    this.#writing = writer && sideOf(writer.database, writingRolesOf(writer.database, bounds, clock));
    this.#reading = sideOf(reader, rolesOf(reader, bounds));
  }

  /** @throws Closed */
  assertOpen(): void {
    if (this.isClosed) throw closed(this.#options.file);
  }

  /** Whether a write's transaction is open: SQLite ends it by itself after some errors. */
  get isWriting(): boolean {
    return this.#writing?.transaction.isOpen === true;
  }

  /** The next read looks whether the file is still in place. */
  lookNext(): void {
    this.#looked = -Infinity;
  }

  /** Runs a read as of one end of the log, in the turn of its kind. */
  async read<T>(kind: string, run: (roles: Roles) => T): Promise<T> {
    try {
      // In WAL mode readers only wait for a moment while a log is recovered or closed.
      return await this.#turns.run(kind, () => whenFree(() => this.#read(run), this.#options));
    } catch (error) {
      throw error instanceof Thrown ? error.error : translated(error, this.#options.file);
    }
  }

  /** Runs `work` with the write lock held, in its turn, and commits. */
  write<T>(work: Work<T>): Promise<T> {
    return this.inTurn((use) => use(work, () => true));
  }

  /** Runs work that may write, once the work before it is done. */
  async inTurn<T>(work: (use: Use) => Promise<T>): Promise<T> {
    this.assertOpen();
    const writing = this.#writing;
    if (writing === undefined) throw openedForReading(this.#options.file);
    return this.#writes.run((write) =>
      this.#queue.run(() => work((run, keep, purpose = 'log') => this.#locked(writing, write, run, { keep, purpose }))),
    );
  }

  /** Begins nothing new. Resolves once all writes are done or given up. */
  async stop(closing?: Closing): Promise<void> {
    this.isClosed = true;
    await this.#writes.close(closing);
  }

  /** Closes the connections once nothing runs. */
  async close(): Promise<void> {
    await this.#queue.idle();
    this.#reading.database.close();
    this.#writing?.database.close();
  }

  #read<T>(run: (roles: Roles) => T): T {
    const { file, inPlace } = this.#options;
    const { transaction, roles } = this.#reading;
    this.assertOpen();
    const now = performance.now();
    if (now - this.#looked >= LOOK_MS) {
      inPlace();
      this.#looked = now;
    }
    transaction.begin();
    try {
      transaction.assertFormat(file);
      const result = run(roles);
      transaction.commit();
      return result;
    } catch (error) {
      transaction.rollback();
      roles.interned.forget();
      this.#lookAfter(error);
      throw error;
    }
  }

  async #locked<T>(
    writing: Side<WritingRoles>,
    write: Write,
    work: Work<T>,
    { keep, purpose }: { readonly keep: (result: T) => boolean; readonly purpose: Purpose },
  ): Promise<T> {
    const { file, inPlace } = this.#options;
    if (this.#damaged) throw this.#damaged;
    const takeLock = (): void => {
      write.assertGoing();
      this.#flushing?.before(purpose === 'log');
      writing.transaction.beginWriting();
    };
    try {
      await whenFree(takeLock, this.#options);
    } catch (error) {
      this.#lookAfter(error);
      throw translated(error, file);
    }
    let result: T;
    try {
      inPlace();
      writing.transaction.assertFormat(file);
      result = await work(writing.roles, write);
      write.stores();
    } catch (error) {
      rollback(writing);
      writing.roles.forget();
      this.#lookAfter(error);
      throw error instanceof Thrown ? error.error : translated(error, file);
    }
    if (keep(result)) this.#commit(writing, purpose);
    else rollback(writing);
    return result;
  }

  #commit(writing: Side<WritingRoles>, purpose: Purpose): void {
    const { file } = this.#options;
    try {
      writing.transaction.commit();
    } catch (error) {
      rollback(writing);
      writing.roles.forget();
      throw isBusy(error) ? lockTimeout(file, undefined, error) : unknownCommit(error, file);
    }
    this.#committed(performance.now(), purpose);
  }

  /** If SQLite failed because the file is gone, that is the error for the caller. */
  #lookAfter(error: unknown): void {
    if (error instanceof Thrown || isTidemarkError(error) || isBusy(error)) return;
    this.#options.inPlace();
    if (isDamage(error)) this.#damaged ??= translated(error, this.#options.file);
  }
}

/** An error of the caller's own work, which goes to the caller as it is. */
export class Thrown extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super('thrown by the work under the write lock');
    this.error = error;
  }
}

function sideOf<R>(database: DatabaseSync, roles: R) {
  return { database, transaction: new Transaction(database), roles };
}

function rollback({ transaction, roles }: Side<WritingRoles>): void {
  transaction.rollback();
  roles.clock.forget?.();
}
