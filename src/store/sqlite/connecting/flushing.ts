/**
 * When a connection flushes. Commits of the log are flushed as the option says; what can be made from the log again needn't be
 * before its commit returns. Both are on one connection: a second one would lose its page cache at each commit of the other.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NotWritable } from '../../../errors.ts';
import { one } from './connection.ts';
import type { Synchronous } from './synchronous.ts';

const LEVELS: Readonly<Record<Synchronous, number>> = { off: 0, normal: 1, full: 2 };

export class Flushing {
  readonly #database: DatabaseSync;
  readonly #level: StatementSync;
  readonly #log: Synchronous;
  #current: Synchronous;

  /** @throws NotWritable if SQLite doesn't do as the option says */
  constructor(database: DatabaseSync, log: Synchronous) {
    this.#database = database;
    this.#level = database.prepare('PRAGMA synchronous');
    this.#log = log;
    // On macOS only `fullfsync` reaches the disk itself; elsewhere it changes nothing.
    const platter = log === 'full' ? 'ON' : 'OFF';
    database.exec(`PRAGMA fullfsync = ${platter}; PRAGMA checkpoint_fullfsync = ${platter}`);
    this.#current = log;
    this.#set(log);
  }

  /** Must be called before each transaction that writes; none may be open. `isLog`: its commit must be as durable as the log. */
  before(isLog: boolean): void {
    const level = isLog || this.#log === 'off' ? this.#log : 'normal';
    if (level !== this.#current) this.#set(level);
  }

  /** Law 7 depends on it, so it is read back. */
  #set(level: Synchronous): void {
    this.#database.exec(`PRAGMA synchronous = ${level}`);
    const [found] = one<[number]>(this.#level)!;
    if (found !== LEVELS[level]) {
      throw new NotWritable(`SQLite flushes at level ${found}, not at ${level} as it was told.`, { level: found });
    }
    this.#current = level;
  }
}
