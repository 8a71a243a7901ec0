/** What SQLite says of the write-ahead log, without copying anything of it. */
import type { DatabaseSync } from 'node:sqlite';
import { isReadOnly } from '../errors.ts';
import { one, single } from './connection.ts';

/** Of the write-ahead log's header, and of each frame's (https://www.sqlite.org/fileformat2.html#walformat), in bytes. */
export const WAL_HEADER = 32;
export const WAL_FRAME_HEADER = 24;

/** What a checkpoint answers: whether somebody stood in its way, how many pages there are, how many of them are copied. */
export type Counted = readonly [busy: number, pages: number, copied: number];

/** It must be asked with no transaction open on the connection. */
export class Wal {
  readonly #noop;

  constructor(connection: DatabaseSync) {
    const [major = 0, minor = 0] = single<string>(connection, 'SELECT sqlite_version()').split('.').map(Number);
    // Before 3.51 the word isn't known, and taken for a real checkpoint.
    const isKnown = major !== 3 || minor >= 51;
    this.#noop = isKnown ? connection.prepare('PRAGMA wal_checkpoint(NOOP)') : undefined;
  }

  /** Whether this SQLite says how much it holds. */
  get isCounted(): boolean {
    return this.#noop !== undefined;
  }

  /** Undefined where this SQLite doesn't say. */
  counted(): Counted | undefined {
    return this.#noop && one<Counted>(this.#noop);
  }

  /** How many frames SQLite believes it to have; 0 where nothing is said. */
  frames(): number {
    try {
      return this.counted()?.[1] ?? 0;
    } catch (error) {
      // A connection that may not write isn't told.
      if (isReadOnly(error)) return 0;
      throw error;
    }
  }
}
