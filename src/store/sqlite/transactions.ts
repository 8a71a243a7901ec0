/**
 * How what is asked of a log becomes transactions: reads on one connection, each in the turn of its kind; writes on the
 * other, one after the other. Nothing is read outside of a transaction: each answer is as of one end of the log.
 */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync } from 'node:sqlite';
import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { AnchorPlace, Clock } from '../clock.ts';
import type { Closing } from '../store.ts';
import { Turns } from '../turns.ts';
import { Writes } from '../writes.ts';
import type { Write } from '../writes.ts';
import { Transaction } from './connecting/transaction.ts';
import { closed, isBusy, isDamage, lockTimeout, openedForReading, translated, unknownCommit } from './errors.ts';
import { Roles, WritingRoles } from './roles.ts';
import { CACHE_BOUNDS } from './writing/interned.ts';
import type { CacheBounds } from './writing/interned.ts';
import { Queue, whenFree } from './writing/lock.ts';

/** The longest that reads go on without a look at whether the file is still in place, in milliseconds: it
 * costs as much as the smallest of them. */
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
type Work<T> = (roles: WritingRoles, write: Write) => T | Promise<T>;

/** Runs work in a transaction with the write lock, and commits if `keep` says so of what it returns. */
export type Use = <T>(work: Work<T>, keep: (result: T) => boolean) => Promise<T>;

/** A connection, with its transactions and what they ask. */
class Side<R> {
  readonly database: DatabaseSync;
  readonly transaction: Transaction;
  readonly roles: R;

  constructor(database: DatabaseSync, roles: R) {
    this.database = database;
    this.transaction = new Transaction(database);
    this.roles = roles;
  }
}

export class Transactions {
  readonly #options: TransactionOptions;
  readonly #committed: (now: number) => void;
  readonly #turns = new Turns();
  readonly #queue = new Queue();
  readonly #writes = new Writes(() => closed(this.#options.file));
  readonly #reading: Side<Roles>;
  readonly #writing: Side<WritingRoles> | undefined;
  #closed = false;
  /** What SQLite said of the file. It may still be read, as far as that goes; writing to it would make it worse. */
  #damaged: TidemarkError | undefined;
  #looked = 0;

  /** Without a writer it is for reading alone. `committed` is called after each commit. */
  constructor(
    writer: DatabaseSync | undefined,
    reader: DatabaseSync,
    options: TransactionOptions,
    committed: (now: number) => void,
  ) {
    const { bounds = CACHE_BOUNDS, clock } = options;
    this.#options = options;
    this.#committed = committed;
    this.#writing = writer && new Side(writer, new WritingRoles(writer, bounds, clock));
    this.#reading = new Side(reader, new Roles(reader, bounds));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** @throws Closed */
  assertOpen(): void {
    if (this.#closed) throw closed(this.#options.file);
  }

  /** The next read looks whether the file is still in place. */
  lookNext(): void {
    this.#looked = -Infinity;
  }

  /** Runs a read as of one end of the log, in the turn of its kind. */
  async read<T>(kind: string, run: (roles: Roles) => T): Promise<T> {
    const { file, lockTimeoutMs } = this.#options;
    try {
      // Readers wait for nobody in WAL mode, but for a moment while a log is recovered or closed.
      return await this.#turns.run(kind, () =>
        whenFree(
          () => this.#read(run),
          lockTimeoutMs,
          (waitedMs) => lockTimeout(file, waitedMs),
        ),
      );
    } catch (error) {
      throw translated(error, file);
    }
  }

  /** Runs `work` with the write lock held, in its turn, and commits. */
  write<T>(work: Work<T>): Promise<T> {
    return this.inTurn((use) => use(work, () => true));
  }

  /** Runs work that may write once those before it are done. */
  async inTurn<T>(work: (use: Use) => Promise<T>): Promise<T> {
    this.assertOpen();
    const writing = this.#writing;
    if (writing === undefined) throw openedForReading(this.#options.file);
    return this.#writes.run((write) =>
      this.#queue.run(() => work((run, keep) => this.#locked(writing, write, run, keep))),
    );
  }

  /** Nothing new is begun; resolves once what may store something is done, or given up. */
  async stop(closing?: Closing): Promise<void> {
    this.#closed = true;
    await this.#writes.close(closing);
  }

  /** Closes the connections once nothing runs any more. */
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

  async #locked<T>(writing: Side<WritingRoles>, write: Write, work: Work<T>, keep: (result: T) => boolean): Promise<T> {
    const { file, inPlace } = this.#options;
    if (this.#damaged) throw this.#damaged;
    await this.#lock(writing, write);
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
    if (keep(result)) this.#commit(writing);
    else rollback(writing);
    return result;
  }

  async #lock({ transaction }: Side<WritingRoles>, write: Write): Promise<void> {
    const { file, lockTimeoutMs } = this.#options;
    const attempt = (): void => {
      write.assertGoing();
      transaction.beginWriting();
    };
    try {
      await whenFree(attempt, lockTimeoutMs, (waitedMs) => lockTimeout(file, waitedMs));
    } catch (error) {
      this.#lookAfter(error);
      throw translated(error, file);
    }
  }

  #commit(writing: Side<WritingRoles>): void {
    const { file } = this.#options;
    try {
      writing.transaction.commit();
    } catch (error) {
      rollback(writing);
      writing.roles.forget();
      throw isBusy(error) ? lockTimeout(file, undefined, error) : unknownCommit(error, file);
    }
    this.#committed(performance.now());
  }

  /** What SQLite fails to read may have been taken away under it: that is then what the caller is told. */
  #lookAfter(error: unknown): void {
    if (error instanceof Thrown || isTidemarkError(error) || isBusy(error)) return;
    this.#options.inPlace();
    if (isDamage(error)) this.#damaged ??= translated(error, this.#options.file);
  }
}

/** An error of the caller's own work, to be handed on as it is. */
export class Thrown extends Error {
  readonly error: unknown;

  constructor(error: unknown) {
    super('thrown by the work under the write lock');
    this.error = error;
  }
}

function rollback({ transaction, roles }: Side<WritingRoles>): void {
  transaction.rollback();
  roles.clock.forget?.();
}
