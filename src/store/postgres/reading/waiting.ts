/**
 * Waiting for the log to grow. Whoever commits tells the others by NOTIFY: after the commit, not within it (it takes a
 * lock of the whole server), and seldom. Whoever waits hears it on a connection of its own, and asks as well: a
 * notification may get lost with its connection, and a pooler in transaction mode passes none on.
 */
import { createHash } from 'node:crypto';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortController } from '../../../realm.ts';
import type { LogEnd } from '../../store.ts';
import { Waiters } from '../../waiters.ts';
import type { Connections } from '../connecting/connections.ts';
import type { PostgresPool } from '../connecting/pool.ts';

/** How often the log is asked where nothing was heard yet, and where notifications arrive, in milliseconds. */
const ASK_MS = 30;
const ASK_HEARING_MS = 1_000;
/** How often at most this session tells the others, in milliseconds. */
const TELL_MS = 20;
/** How long the connection is kept when no call waits any more: a follower waits again at once. In milliseconds. */
const KEEP_MS = 5_000;
/** The pause before listening again after the connection was lost, in milliseconds. */
const AGAIN_MS = 500;
/** Connections that must be left for the others: one that writes, one that reads. */
const OTHERS = 2;

/** Pools that a session listens on a connection of: one each, however many sessions share it, or they would take all. */
const listened = new WeakSet<PostgresPool>();

/** What is told promises nothing: its commit needn't be flushed, beside appends that must be. */
const TELL = "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify($1, '')";

/** Place → sessions of this process on the log there. */
const sessions = new Map<string, Set<Waiting>>();

export interface WaitingOptions {
  /** Where the log is: the same for all sessions on it in this process. */
  readonly place: string;
  readonly schema: string;
  /** Where its connections come from. */
  readonly pool: PostgresPool;
  /** Connections there can be at once. */
  readonly connectionsMax: number;
}

export class Waiting {
  readonly waiters: Waiters;
  readonly #connections: Connections;
  readonly #place: string;
  readonly #channel: string;
  readonly #pool: PostgresPool;
  #mayListen: boolean;
  /** Ends the listening. */
  #listening: AbortController | undefined;
  #hearing = false;
  /** Whether the next look comes without a notification, and the hash at the end that the last look found. */
  #asks = false;
  #found: string | undefined;
  #awaited = false;
  #asking: NodeJS.Timeout | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #telling = false;
  #tellAgain = false;
  #closed = false;

  constructor(connections: Connections, look: () => Promise<LogEnd>, options: WaitingOptions) {
    const { place, schema, pool, connectionsMax } = options;
    this.#connections = connections;
    this.#place = place;
    this.#pool = pool;
    // A channel's name is at most 63 bytes long, as a schema's may be by itself.
    this.#channel = `tidemark_${createHash('sha256').update(schema).digest('hex').slice(0, 32)}`;
    this.#mayListen = connectionsMax > OTHERS;
    this.waiters = new Waiters({ look: () => this.#look(look), begin: () => this.#begin(), end: () => this.#rest() });
    sessions.set(place, (sessions.get(place) ?? new Set()).add(this));
  }

  /** This session has committed. */
  tell(): void {
    for (const session of sessions.get(this.#place) ?? []) session.waiters.wake();
    if (this.#telling) this.#tellAgain = true;
    else void this.#tell();
  }

  /** Whoever waits is told `error`. */
  close(error: unknown): void {
    this.#closed = true;
    this.waiters.fail(error);
    clearTimeout(this.#leaving);
    this.#listening?.abort();
    sessions.get(this.#place)?.delete(this);
    if (sessions.get(this.#place)?.size === 0) sessions.delete(this.#place);
  }

  async #tell(): Promise<void> {
    this.#telling = true;
    do {
      this.#tellAgain = false;
      // Who isn't told finds out by asking.
      await this.#connections
        .use('notify', (connection) => connection.query(TELL, [this.#channel]))
        .catch(() => undefined);
      await sleep(TELL_MS, undefined, { ref: false });
    } while (this.#tellAgain && !this.#closed);
    this.#telling = false;
  }

  #begin(): void {
    this.#awaited = true;
    this.#ask();
    clearTimeout(this.#leaving);
    if (this.#mayListen && !listened.has(this.#pool)) void this.#listen();
  }

  #rest(): void {
    this.#awaited = false;
    clearTimeout(this.#asking);
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this.#listening?.abort(), KEEP_MS);
    this.#leaving.unref();
  }

  async #look(look: () => Promise<LogEnd>): Promise<LogEnd> {
    const asks = this.#asks;
    this.#asks = false;
    const end = await look();
    // It came without a notification: these may not arrive any more, or the writer had no time to send one.
    if (asks && this.#found !== undefined && this.#found !== end.hash) this.#hearing = false;
    this.#found = end.hash;
    return end;
  }

  #ask(): void {
    clearTimeout(this.#asking);
    this.#asking = setTimeout(
      () => {
        this.#asks = true;
        this.waiters.wake();
        this.#ask();
      },
      this.#hearing ? ASK_HEARING_MS : ASK_MS,
    );
  }

  /** Listens until no call has waited for a while, on one connection after the other. */
  async #listen(): Promise<void> {
    const listening = abortController();
    this.#listening = listening;
    listened.add(this.#pool);
    const { signal } = listening;
    const heard = (): void => {
      // Only now it is known that notifications arrive here.
      this.#hearing = true;
      this.#asks = false;
      this.waiters.wake();
    };
    while (!signal.aborted) {
      const may = await this.#connections
        .use('listen', (connection) => connection.listen(this.#channel, heard, signal))
        .catch(() => true);
      this.#hearing = false;
      this.#mayListen &&= may;
      if (!may) break;
      // Notifications that came meanwhile are lost.
      this.waiters.wake();
      await sleep(AGAIN_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
    this.#listening = undefined;
    listened.delete(this.#pool);
    // Somebody may have come while it ended.
    if (this.#mayListen && this.#awaited && !this.#closed) void this.#listen();
  }
}
