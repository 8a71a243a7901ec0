/**
 * Waiting for the file to change. SQLite tells nobody: this process tells itself after each commit, and asks the file
 * for what others have committed, but only while somebody waits.
 */
import type { DatabaseSync } from 'node:sqlite';
import timers from 'node:timers';
import type { LogEnd } from '../../store.ts';
import { Waiters } from '../../waiters.ts';
import { one } from '../connecting/connection.ts';
import { isBusy, translated } from '../errors.ts';

/**
 * How often the file is asked, in milliseconds. A process that only waits was busy for 1.5% of a slow core: two thirds
 * of that for being woken at all, most of the rest for looking whether the file is still in place.
 */
const ASK_MS = 15;

/** File → sessions of this process in which somebody waits. */
const sessions = new Map<string, Set<Waiting>>();

export interface WaitingOptions {
  readonly file: string;
  readonly inPlace: () => void;
}

export class Waiting {
  readonly waiters: Waiters;
  readonly #dataVersion;
  readonly #options: WaitingOptions;
  #timer: NodeJS.Timeout | undefined;
  /** None before the first: what was committed between a look and it would be taken for known. */
  #version: number | undefined;

  /**
   * `reader` is the session's reading connection, with no transaction open between two turns of the event loop; `look` reads
   * the end of the log by it.
   */
  constructor(reader: DatabaseSync, look: () => Promise<LogEnd>, options: WaitingOptions) {
    // Another number whenever another connection has committed, the session's own writing one included.
    this.#dataVersion = reader.prepare('PRAGMA data_version');
    this.#options = options;
    this.waiters = new Waiters({ look, begin: () => this.#begin(), end: () => this.#end() });
  }

  /** This session has committed. Other names of the file, by links, are asked for like other processes' commits. */
  tell(): void {
    for (const { waiters } of sessions.get(this.#options.file) ?? []) waiters.wake();
  }

  /** Whoever waits is told `error`. */
  close(error: unknown): void {
    this.waiters.fail(error);
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
      // While another process recovers or closes the log it can't be asked; the next time it can.
      if (!isBusy(error)) this.waiters.fail(translated(error, file));
    }
  }
}
