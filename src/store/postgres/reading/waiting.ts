/**
 * Waiting for the log to grow. A session that commits tells the others by NOTIFY: after the commit, not within it (NOTIFY
 * takes a lock of the whole server), and seldom. A session that waits listens on its own connection, and also asks now and
 * then: a notification may be lost with its connection, and a pooler in transaction mode passes none on.
 */
import { createHash } from 'node:crypto';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortController } from '../../../realm.ts';
import type { LogEnd } from '../../store.ts';
import { Waiters } from '../../waiters.ts';
import type { Connections } from '../connecting/connections.ts';
import type { Settings } from '../connecting/options.ts';
import type { PostgresPool } from '../connecting/pool.ts';

/** The time between two questions: until a notification was heard, and while they arrive, in milliseconds. */
const ASK_MS = 30;
const ASK_HEARING_MS = 1_000;
/** The least time between two notifications of a session, in milliseconds. */
const TELL_MS = 20;
/** How long the connection is kept when no call waits, in milliseconds: a follower waits again at once. */
const KEEP_MS = 5_000;
/** The pause before listening again after the connection was lost, in milliseconds. */
const AGAIN_MS = 500;
/** Connections that must be left for the others: one that writes, one that reads. */
const OTHERS = 2;

/** Pools with a session that listens. Only one does: sessions that share a pool would otherwise take all its connections. */
const listened = new WeakSet<PostgresPool>();

/** A notification may be lost, so its commit needn't be flushed. */
const TELL = "SELECT pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_notify($1, '')";

/** Place → sessions of this process on the log there. */
const sessions = new Map<string, Set<Waiting>>();

/** `place`: the same for all sessions on the log in this process. */
type WaitingOptions = Pick<Settings, 'place' | 'schema'> & {
  readonly pool: PostgresPool;
  readonly connectionsMax: number;
};

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
  /** The next look comes without a notification; and the hash at the end of the log when it was last looked at. */
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
    // A channel's name may have 63 bytes, and a schema's alone may have as many.
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

  /** All who wait get `error`. */
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
      // A session that isn't told finds out when it asks.
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
    // The log has grown without a notification: they don't arrive any more, or the writer hasn't sent one yet.
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
      // Now it is known that notifications arrive here.
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
    // A new call may wait since it ended.
    if (this.#mayListen && this.#awaited && !this.#closed) void this.#listen();
  }
}
