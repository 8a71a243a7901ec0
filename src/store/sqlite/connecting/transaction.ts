/** The beginning and the end of transactions on a connection, one after the other. */
import type { DatabaseSync } from 'node:sqlite';
import { corrupt } from '../errors.ts';
import { FORMAT } from '../schema.ts';
import { one } from './connection.ts';
import { refuseNewer } from './log-file.ts';

export class Transaction {
  readonly #database: DatabaseSync;
  readonly #begin;
  readonly #beginImmediate;
  readonly #format;
  readonly #commit;
  readonly #rollback;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#begin = database.prepare('BEGIN');
    this.#beginImmediate = database.prepare('BEGIN IMMEDIATE');
    this.#format = database.prepare('PRAGMA user_version');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
  }

  begin(): void {
    this.#begin.run();
  }

  /** With the write lock. Fails as busy while another connection holds it. */
  beginWriting(): void {
    this.#beginImmediate.run();
  }

  /**
   * To be asked in each transaction: a newer release may have brought the file to a format that this one doesn't know.
   *
   * @throws FormatTooNew, LogCorrupt
   */
  assertFormat(file: string): void {
    const [found] = one<[number]>(this.#format)!;
    if (found === FORMAT) return;
    refuseNewer(file, found);
    throw corrupt(`it is of format ${found}, and was of format ${FORMAT}`);
  }

  commit(): void {
    this.#commit.run();
  }

  rollback(): void {
    try {
      // SQLite has rolled back by itself after some errors.
      if (this.#database.isTransaction) this.#rollback.run();
    } catch {
      // What failed before is what the caller is told; closing the connection ends the transaction in any case.
    }
  }
}
