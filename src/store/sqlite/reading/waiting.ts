/**
 * Waiting for the file to change. SQLite gives no notice: this process wakes its own sessions after each commit, and looks at
 * the file for the commits of other processes, only while a call waits.
 */
import type { DatabaseSync } from 'node:sqlite';
import timers from 'node:timers';
import type { LogEnd } from '../../store.ts';
import { Waiters } from '../../waiters.ts';
import { one } from '../connecting/connection.ts';
import { isBusy, translated } from '../errors.ts';

/**
 * How often the file is looked at, in milliseconds. A process that only waits used 1.5% of a slow core: two thirds of that for
 * the timer, most of the rest to see whether the file is still in place.
 */
const ASK_MS = 15;

/** File → sessions of this process in which a call waits. */
const sessions = new Map<string, Set<Waiting>>();

export class Waiting {
  readonly waiters: Waiters;
  readonly #dataVersion;
  readonly #options;
  #timer: NodeJS.Timeout | undefined;
  /** Undefined before the first look. */
  #version: number | undefined;

  /**
   * `reader` is the session's reading connection, which has no transaction open between two turns of the event loop; `look`
   * reads the end of the log with it.
   */
  constructor(
    reader: DatabaseSync,
    look: () => Promise<LogEnd>,
    options: { readonly file: string; readonly inPlace: () => void },
  ) {
    // It changes when another connection has committed, also the session's own writer.
    this.#dataVersion = reader.prepare('PRAGMA data_version');
    this.#options = options;
    this.waiters = new Waiters({ look, begin: () => this.#begin(), end: () => this.#end() });
  }

  /** This session has committed. Sessions that opened the file by another name see it as another process's commit. */
  tell(): void {
    for (const { waiters } of sessions.get(this.#options.file) ?? []) waiters.wake();
  }

  #begin(): void {
    const { file } = this.#options;
    this.#timer = timers.setInterval(() => this.#ask(), ASK_MS);
    sessions.set(file, (sessions.get(file) ?? new Set()).add(this));
  }

  #end(): void {
    const { file } = this.#options;
    timers.clearInterval(this.#timer);
    this.#version = undefined;
    sessions.get(file)?.delete(this);
    if (sessions.get(file)?.size === 0) sessions.delete(file);
  }

  #ask(): void {
    const { file, inPlace } = this.#options;
    try {
      inPlace();
      const now = one<[number]>(this.#dataVersion)?.[0];
      if (now === this.#version) return;
      this.#version = now;
      this.waiters.wake();
    } catch (error) {
      // While another process recovers or closes the log, it can't be read; the next time it can.
      if (!isBusy(error)) this.waiters.fail(translated(error, file));
    }
  }
}
