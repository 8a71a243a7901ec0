/**
 * How much of the write-ahead log isn't copied into the file yet, and copying it where that is much.
 *
 * It is copied after a commit, once CHECKPOINT_PAGES wait. SQLite by itself would copy after every commit while the log has so
 * many pages, copied or not; it begins anew only when all is copied and nobody reads from it, and among four servers that is
 * seldom: each commit then cost a copy and two syncs. It is copied no further than the oldest reader stands. Behind one that stays where it is (a report that
 * was left open) the log grows; when he leaves, the next commit would copy all of it, and hold the event loop for that long
 * (316 MB: 0.4 to 2.5 s). So from ASIDE_PAGES on commits copy nothing, and a thread does, again and again until it is little:
 * what is committed meanwhile is as durable, as that rests on the log, not on the file.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import type { Opening } from '../store.ts';
import type { Aside } from './aside.ts';
import { CHECKPOINT_PAGES, one, single } from './connection.ts';
import { WAL_FRAME_HEADER } from './in-place.ts';

/** From so many pages on commits copy nothing. */
const ASIDE_PAGES = 2 * CHECKPOINT_PAGES;
/** How often is looked, in milliseconds: it costs as much as the smallest read. */
const LOOK_MS = 20;
/** So many commits in a row try to have the log begin anew, which fails while somebody reads from it; then it grows by as much again. */
const RESTARTS_MAX = 8;
/** The pause after a look that could copy nothing, as somebody still reads, in milliseconds. */
const PAUSE_MS = 200;
/** From so many bytes on somebody must do something about it. */
const WARN_BYTES = 64 * 2 ** 20;

/** As durable as the writer's own: what is copied is on the disk before the log is written over. */
const SET_UP =
  'PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0';

type Counted = readonly [busy: number, pages: number, copied: number];

export interface Parts {
  readonly file: string;
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
  readonly warn: Opening['warn'];
  /** Runs something on a connection in a thread of its own, which ends with it. */
  readonly aside: <T>(setUp: string, work: (aside: Aside) => Promise<T>) => Promise<T>;
}

export class Checkpoints {
  readonly #parts: Parts;
  readonly #count: (() => Counted | undefined) | undefined;
  readonly #pageBytes: number;
  readonly #most: StatementSync;
  readonly #rest: StatementSync;
  #looked = 0;
  /** How many commits are left that try to have the log begin anew. */
  #restarts = 0;
  #isCopying = false;
  #warned = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#count = counter(parts.reader);
    this.#pageBytes = single<number>(parts.reader, 'PRAGMA page_size') + WAL_FRAME_HEADER;
    this.#most = parts.writer.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#rest = parts.writer.prepare('PRAGMA wal_checkpoint(RESTART)');
    if (this.#count) parts.writer.exec('PRAGMA wal_autocheckpoint = 0');
  }

  /** What isn't copied yet, in bytes; undefined where this SQLite doesn't say. With no transaction open on the reader. */
  get walBytes(): number | undefined {
    const counted = this.#count?.();
    return counted && this.#bytesOf(counted);
  }

  /** To be called after commits, before anything else is done, with no transaction open on the reader. */
  look(now: number): void {
    if (this.#isCopying || !this.#count) return;
    try {
      if (this.#restarts > 0) this.#restart();
      if (now - this.#looked < LOOK_MS) return;
      this.#looked = now;
      const [, pages, copied] = this.#count()!;
      if (pages - copied >= ASIDE_PAGES) this.#copyAside();
      else if (pages - copied >= CHECKPOINT_PAGES) this.#copyMost();
    } catch {
      // What was committed is; the next look at the file says what is wrong with it.
    }
  }

  #copyMost(): void {
    // Others write meanwhile.
    const [busy] = one<Counted>(this.#most)!;
    if (busy !== 0) return;
    this.#restarts = RESTARTS_MAX;
    const [, pages, copied] = this.#count!()!;
    if (copied === pages) this.#restart();
  }

  /** Copies the rest with the write lock, which has just been let go of: those who want it look for it every now and then. */
  #restart(): void {
    const [, pages] = this.#count!()!;
    // It may have begun anew by another.
    const isOver = pages < CHECKPOINT_PAGES || one<Counted>(this.#rest)![0] === 0;
    this.#restarts = isOver ? 0 : this.#restarts - 1;
  }

  #copyAside(): void {
    this.#isCopying = true;
    // What goes wrong there goes wrong at the next commit as well, and is told then.
    this.#parts
      .aside(SET_UP, (aside) => this.#copy(aside))
      .catch(() => undefined)
      .finally(() => (this.#isCopying = false));
  }

  async #copy({ look }: Aside): Promise<void> {
    for (let before = 0; ;) {
      const [counted] = await look<Counted>('PRAGMA wal_checkpoint(PASSIVE)');
      const [, pages, copied] = counted!;
      if (pages - copied < CHECKPOINT_PAGES) return;
      this.#tell(this.#bytesOf(counted!));
      if (copied === before) await setTimeout(PAUSE_MS, undefined, { ref: false });
      before = copied;
    }
  }

  #tell(walBytes: number): void {
    if (this.#warned || walBytes < WARN_BYTES) return;
    this.#warned = true;
    const { file, warn } = this.#parts;
    warn?.(
      { file, walBytes },
      `${file}-wal holds ${Math.round(walBytes / 2 ** 20)} MB that can't be copied into ${file}: somebody has been reading since ` +
        'before that was written. It grows until he is done: find the program that keeps a transaction open on it (lsof or ' +
        'fuser name who has it open), and end that.',
    );
  }

  #bytesOf([, pages, copied]: Counted): number {
    return Math.max(0, pages - copied) * this.#pageBytes;
  }
}

/** Undefined before SQLite 3.51, where the word isn't known, and taken for a real checkpoint. */
function counter(connection: DatabaseSync): (() => Counted | undefined) | undefined {
  const [major = 0, minor = 0] = single<string>(connection, 'SELECT sqlite_version()').split('.').map(Number);
  if (major === 3 && minor < 51) return undefined;
  const noop = connection.prepare('PRAGMA wal_checkpoint(NOOP)');
  return () => one<Counted>(noop);
}
