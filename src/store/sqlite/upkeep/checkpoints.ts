/**
 * How much of the write-ahead log isn't copied into the file yet, and copying it.
 *
 * SQLite by itself copies after every commit while the log has CHECKPOINT_PAGES, copied or not. The log begins anew only when
 * all of it is copied and nobody reads from it. Among several servers that seldom happens by chance: each commit then cost a
 * copy and two syncs, and the log grew without end. So we copy after a commit, once CHECKPOINT_PAGES wait, while others go on
 * writing; and directly after a later commit, when the write lock is nearly always free, the rest, and make the log begin anew.
 *
 * Nothing is copied that is newer than what the oldest reader sees. Behind one that stays (a report that was left open) the log
 * grows. When it leaves, copying all at once would hold the event loop (316 MB: 0.4 to 2.5 s). So from ASIDE_PAGES on commits
 * copy nothing and a thread does, again and again until little is left. What is committed meanwhile is as durable: that rests on
 * the log, not on the file.
 */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { hasCode } from '../../../errors.ts';
import type { Opening } from '../../store.ts';
import type { Aside } from './aside.ts';
import type { Asides } from './asides.ts';
import { CHECKPOINT_PAGES, one, single } from '../connecting/connection.ts';
import { isBusy, translated } from '../errors.ts';
import { Wal, WAL_FRAME_HEADER } from '../connecting/wal.ts';
import type { Counted } from '../connecting/wal.ts';

/** From so many pages on commits copy nothing. */
const ASIDE_PAGES = 2 * CHECKPOINT_PAGES;
/** How often we look, in milliseconds: a look costs as much as the smallest read. */
const LOOK_MS = 20;
/** The pause before the log is made to begin anew again, if somebody was reading from it, in milliseconds. */
const RESTART_MS = 100;
/** If it fails more often than that in a row, the logger is told. */
const RESTARTS_MAX = 5;
/** The thread's pause if it could copy nothing, as somebody reads or copies, in milliseconds. */
const PAUSE_MS = 200;
/** The pause after copying has failed, in milliseconds. */
const FAILED_MS = 1_000;
/** From so many bytes on somebody must do something about it. */
const WARN_BYTES = 64 * 2 ** 20;

/** As durable as the writer's own: what is copied is on the disk before the log is written over. */
const SET_UP =
  'PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0';

interface Parts {
  readonly file: string;
  readonly writer: DatabaseSync;
  readonly reader: DatabaseSync;
  readonly warn: Opening['warn'];
  readonly asides: Asides;
}

export class Checkpoints {
  readonly #parts: Parts;
  readonly #wal: Wal;
  readonly #pageBytes: number;
  readonly #passive: StatementSync;
  readonly #restart: StatementSync;
  /** When the next look is due, and when the log is to be made to begin anew: not at all unless it is to. */
  #lookAt = 0;
  #restartAt = Infinity;
  /** How often it couldn't. */
  #restarts = 0;
  #isAside = false;
  #toldOfReaders = false;
  #toldOfFailure = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#wal = new Wal(parts.reader);
    this.#pageBytes = single<number>(parts.reader, 'PRAGMA page_size') + WAL_FRAME_HEADER;
    this.#passive = parts.writer.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#restart = parts.writer.prepare('PRAGMA wal_checkpoint(RESTART)');
    if (this.#wal.isCounted) parts.writer.exec('PRAGMA wal_autocheckpoint = 0');
  }

  /** What isn't copied yet, in bytes; undefined where this SQLite doesn't say. With no transaction open on the reader. */
  get walBytes(): number | undefined {
    const counted = this.#wal.counted();
    return counted && this.#bytesOf(counted);
  }

  /** To be called directly after a commit, with no transaction open on the reader. */
  committed(now: number): void {
    if (this.#isAside || !this.#wal.isCounted || now < Math.min(this.#lookAt, this.#restartAt)) return;
    this.#lookAt = now + LOOK_MS;
    try {
      const [, pages, copied] = this.#wal.counted()!;
      if (pages - copied >= ASIDE_PAGES) this.#copyAside();
      else if (pages - copied >= CHECKPOINT_PAGES) this.#copy(now);
      else if (now >= this.#restartAt) this.#beginAnew(pages, now + RESTART_MS);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Copies while others go on writing. */
  #copy(now: number): void {
    const [busy] = one<Counted>(this.#passive)!;
    const [, pages, copied] = this.#wal.counted()!;
    // Another process is copying, or somebody reads what is older.
    if (busy !== 0 || pages - copied >= CHECKPOINT_PAGES) return;
    this.#toldOfFailure = false;
    if (copied === pages) this.#beginAnew(pages, now);
    else this.#restartAt = now;
  }

  /** Copies the rest, and keeps others from writing meanwhile. */
  #beginAnew(pages: number, otherwiseAt: number): void {
    // Another process may have done it.
    const isOver = pages < CHECKPOINT_PAGES || one<Counted>(this.#restart)![0] === 0;
    this.#restartAt = isOver ? Infinity : otherwiseAt;
    this.#restarts = isOver ? 0 : this.#restarts + 1;
    // Now and then it is somebody who just writes.
    if (this.#restarts > RESTARTS_MAX) this.#tellOfReaders(pages);
  }

  #copyAside(): void {
    this.#isAside = true;
    this.#parts.asides
      .run({ setUp: SET_UP }, (aside) => this.#copyUntilLittle(aside))
      .then(
        () => {
          this.#toldOfFailure = false;
          this.#restartAt = 0;
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => (this.#isAside = false));
  }

  async #copyUntilLittle({ look }: Aside): Promise<void> {
    for (let before = 0; ;) {
      const [counted] = await look<Counted>('PRAGMA wal_checkpoint(PASSIVE)');
      const [busy, pages, copied] = counted!;
      if (busy === 0 && pages - copied < CHECKPOINT_PAGES) return;
      if (this.#bytesOf(counted!) >= WARN_BYTES) this.#tellOfReaders(pages);
      if (busy !== 0 || copied === before) await setTimeout(PAUSE_MS, undefined, { ref: false });
      before = copied;
    }
  }

  #tellOfReaders(pages: number): void {
    const bytes = pages * this.#pageBytes;
    if (this.#toldOfReaders || bytes < WARN_BYTES) return;
    this.#toldOfReaders = true;
    const { file, warn } = this.#parts;
    warn?.(
      { file, bytes },
      `${file}-wal has grown to ${Math.round(bytes / 2 ** 20)} MB, as somebody reads from it all the time: in one transaction that ` +
        'stays open, or in several that overlap. It grows until nobody does for a moment: find the programs that keep ' +
        'transactions open on it (lsof or fuser name who has it open), and end those, or let them pause.',
    );
  }

  /** What was committed is safe, and commits go on as long as there is room: so this is told here, and once. */
  #failed(error: unknown): void {
    this.#lookAt = performance.now() + FAILED_MS;
    this.#restartAt = Infinity;
    const { file, warn } = this.#parts;
    if (this.#toldOfFailure || isBusy(error) || hasCode(error, 'Closed')) return;
    this.#toldOfFailure = true;
    warn?.(
      { file, err: error },
      `What ${file}-wal holds can't be copied into ${file}, so that it grows: ${translated(error, file).message}`,
    );
  }

  #bytesOf([, pages, copied]: Counted): number {
    return Math.max(0, pages - copied) * this.#pageBytes;
  }
}
