/**
 * Copies the write-ahead log into the file, and says how much of it isn't copied yet.
 *
 * SQLite by itself copies after every commit while the log has CHECKPOINT_PAGES, copied or not. It starts the log again only
 * when all of it is copied and no reader uses it. With several servers that seldom happens by chance: each commit cost a copy
 * and two syncs, and the log grew without end. So we copy after a commit once CHECKPOINT_PAGES wait, while others go on
 * writing. After a later commit, when the write lock is nearly always free, we copy the rest and make the log start again.
 *
 * Nothing newer than what the oldest reader sees can be copied. While a reader stays (a report that was left open) the log
 * grows. To copy all at once when it ends would hold the event loop (316 MB: 0.4 to 2.5 s). So from ASIDE_PAGES on, a thread
 * copies instead of the commits, until little is left. Commits are as durable meanwhile: that depends on the log, not the file.
 */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { hasCode } from '../../../errors.ts';
import type { Opening } from '../../store.ts';
import type { Aside, Asides } from './aside.ts';
import { CHECKPOINT_PAGES, one, single } from '../connecting/connection.ts';
import { isBusy, translated } from '../errors.ts';
import { Wal, WAL_FRAME_HEADER, type Counted } from '../connecting/wal.ts';

/** From so many pages on, a thread copies. */
const ASIDE_PAGES = 2 * CHECKPOINT_PAGES;
/** How often we look, in milliseconds: a look costs as much as the smallest read. */
const LOOK_MS = 20;
/** The pause before we try again to start the log again, if a reader used it, in milliseconds. */
const RESTART_MS = 100;
/** After more failures in a row the logger is told. */
const RESTARTS_MAX = 5;
/** The thread's pause if it could copy nothing because of readers or another copy, in milliseconds. */
const PAUSE_MS = 200;
/** The pause after copying has failed, in milliseconds. */
const FAILED_MS = 1_000;
/** From so many bytes on the logger is told. */
const WARN_BYTES = 64 * 2 ** 20;

/** As durable as the writer's own: the copy is on the disk before the log is written over. */
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
  /** When to look next, and when to start the log again; Infinity for not at all. */
  #lookAt = 0;
  #restartAt = Infinity;
  /** Failed tries to start it again. */
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

  /** Must be called directly after a commit, with no transaction open on the reader. */
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
    // Another process copies, or a reader needs older pages.
    if (busy !== 0 || pages - copied >= CHECKPOINT_PAGES) return;
    this.#toldOfFailure = false;
    if (copied === pages) this.#beginAnew(pages, now);
    else this.#restartAt = now;
  }

  /** Copies the rest, and blocks other writers meanwhile. */
  #beginAnew(pages: number, otherwiseAt: number): void {
    // Under CHECKPOINT_PAGES, another process has done it.
    const isOver = pages < CHECKPOINT_PAGES || one<Counted>(this.#restart)![0] === 0;
    this.#restartAt = isOver ? Infinity : otherwiseAt;
    this.#restarts = isOver ? 0 : this.#restarts + 1;
    // Sometimes it is only a writer.
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
      `${file}-wal has grown to ${Math.round(bytes / 2 ** 20)} MB, because there is always a reader: one transaction that stays ` +
        'open, or several that overlap. It grows until there is a moment without readers. Find the programs that keep ' +
        'transactions open on it (lsof or fuser lists them), and end them or let them pause.',
    );
  }

  /** Commits are safe and go on as long as there is room: so the logger is told, once. */
  #failed(error: unknown): void {
    this.#lookAt = performance.now() + FAILED_MS;
    this.#restartAt = Infinity;
    const { file, warn } = this.#parts;
    if (this.#toldOfFailure || isBusy(error) || hasCode(error, 'Closed')) return;
    this.#toldOfFailure = true;
    warn?.(
      { file, err: error },
      `${file}-wal can't be copied into ${file}, so it grows: ${translated(error, file).message}`,
    );
  }

  #bytesOf([, pages, copied]: Counted): number {
    return Math.max(0, pages - copied) * this.#pageBytes;
  }
}
