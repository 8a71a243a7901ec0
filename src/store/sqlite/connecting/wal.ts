/** What SQLite says about the write-ahead log, without a copy of its pages. */
import type { DatabaseSync } from 'node:sqlite';
import { isReadOnly } from '../errors.ts';
import { one, single } from './connection.ts';

/** Bytes of the log's header, and of the header of each frame (https://www.sqlite.org/fileformat2.html#walformat). */
export const WAL_HEADER = 32;
export const WAL_FRAME_HEADER = 24;

/** The answer of a checkpoint: whether another connection blocked it, the pages of the log, and how many are copied. */
export type Counted = readonly [busy: number, pages: number, copied: number];

/** Use it with no transaction open on the connection. */
export class Wal {
  readonly #noop;
  /** Whether this SQLite can count the pages. */
  readonly isCounted: boolean;

  constructor(connection: DatabaseSync) {
    const [major = 0, minor = 0] = single<string>(connection, 'SELECT sqlite_version()').split('.').map(Number);
    // Before 3.51 SQLite doesn't know NOOP and runs a real checkpoint.
    this.isCounted = major !== 3 || minor >= 51;
    this.#noop = this.isCounted ? connection.prepare('PRAGMA wal_checkpoint(NOOP)') : undefined;
  }

  /** Undefined where this SQLite can't count. */
  counted(): Counted | undefined {
    return this.#noop && one<Counted>(this.#noop);
  }

  /** How many frames SQLite believes the log has; 0 where it can't count. */
  frames(): number {
    try {
      return this.counted()?.[1] ?? 0;
    } catch (error) {
      // A connection that may not write gets no answer.
      if (isReadOnly(error)) return 0;
      throw error;
    }
  }
}
