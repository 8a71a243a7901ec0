/** Begins and ends the transactions of a connection. */
import type { DatabaseSync } from 'node:sqlite';
import { corrupt } from '../errors.ts';
import { FORMAT } from '../schema.ts';
import { one } from './connection.ts';
import { refuseNewer } from './log-file.ts';

export class Transaction {
  readonly #database: DatabaseSync;
  readonly #sql;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#sql = {
      begin: database.prepare('BEGIN'),
      beginImmediate: database.prepare('BEGIN IMMEDIATE'),
      format: database.prepare('PRAGMA user_version'),
      commit: database.prepare('COMMIT'),
      rollback: database.prepare('ROLLBACK'),
    };
  }

  /** False also after an error by which SQLite has rolled back by itself. */
  get isOpen(): boolean {
    return this.#database.isTransaction;
  }

  begin(): void {
    this.#sql.begin.run();
  }

  /** With the write lock. Fails as busy while another connection holds it. */
  beginWriting(): void {
    this.#sql.beginImmediate.run();
  }

  /**
   * Must be called in each transaction: a newer release may have brought the file to a format that this one doesn't know.
   *
   * @throws FormatTooNew, LogCorrupt
   */
  assertFormat(file: string): void {
    const [found] = one<[number]>(this.#sql.format)!;
    if (found === FORMAT) return;
    refuseNewer(file, found);
    throw corrupt(`its format is ${found}, and was ${FORMAT}`);
  }

  commit(): void {
    this.#sql.commit.run();
  }

  rollback(): void {
    try {
      if (this.isOpen) this.#sql.rollback.run();
    } catch {
      // The caller gets the error before this one; closing the connection ends the transaction in any case.
    }
  }
}
