/**
 * Connections: taken from a pool of `pg`'s for one piece of work each, with an end to every waiting.
 *
 * Nothing is left behind on a connection: no settings, no named statements, no locks of the session. So a pooler such as
 * PgBouncer may stand between (transaction mode).
 */
import type { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  closed,
  Failed,
  isLost,
  isPermanent,
  NoAnswer,
  NotReplicated,
  sqlState,
  translated,
  Unheard,
} from './errors.ts';
import type { Hosts } from './hosts.ts';
import { HEARD } from './lock.ts';
import type { PostgresClient, PostgresNotice } from './pool.ts';
import { beginSettings } from './settings.ts';
import type { TransactionSettings } from './settings.ts';

export interface Waits {
  /** How long a call waits for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long a statement may go without an answer, in milliseconds. */
  readonly answerTimeoutMs: number;
}

export type Value = string | null;
export type Row = readonly Value[];
export type Parameter = string | Buffer | null;

/** Runs one statement, and gives its rows as texts. */
export type Query = (text: string, parameters?: readonly Parameter[]) => Promise<readonly Row[]>;

// The user's pool may parse values in ways of its own; ours are read where they are needed.
const AS_TEXT = { getTypeParser: () => (value: string) => value };

/** The first pause before connecting again, and the longest, in milliseconds. */
const PAUSE_MS = 20;
const PAUSE_MAX_MS = 500;
/** The longest that closing waits for connections to end, in milliseconds. */
const END_MS = 2_000;

/**
 * Where PostgreSQL waits for a standby. It has nothing to say there but that the waiting was ended, and says it as a warning
 * beside an answer that tells of success. That nothing was said counts only where something would have been heard: so
 * every function that writes says something itself ({@link HEARD}), at a level below a warning.
 */
const SYNC_WAIT = 'SyncRepWaitForLSN';

export class Connection {
  readonly #client: PostgresClient;
  readonly #waits: Waits;
  readonly #onError: () => void;
  readonly #onNotice: (notice: PostgresNotice) => void;
  /** Of no more use: lost, without an answer, or in a transaction that nobody has ended. */
  #spent = false;
  #inTransaction = false;
  #notReplicated = false;
  #noticed = false;
  #heard = false;

  constructor(client: PostgresClient, waits: Waits) {
    this.#client = client;
    this.#waits = waits;
    // Between two statements nobody else listens: the process would end.
    this.#onError = () => (this.#spent = true);
    client.on('error', this.#onError);
    this.#onNotice = ({ routine, message }) => {
      this.#noticed = true;
      this.#notReplicated ||= routine === SYNC_WAIT;
      this.#heard ||= message === HEARD;
    };
    client.on('notice', this.#onNotice);
  }

  /** `timeoutMs` is for statements that may take longer, or wait for a lock. Throws `Failed`. */
  async query(text: string, parameters?: readonly Parameter[], timeoutMs?: number): Promise<readonly Row[]> {
    return rowsOf(await this.#ask(text, parameters, timeoutMs));
  }

  /** Begins a transaction that doesn't rest on what anybody has set (settings.ts). */
  async begin(mode: string, settings: TransactionSettings): Promise<void> {
    this.#inTransaction = true;
    try {
      await this.#ask(`BEGIN ISOLATION LEVEL ${mode}; ${beginSettings(settings)}`);
    } catch (error) {
      throw error instanceof Failed ? new Failed(error.error, { beginning: true }) : error;
    }
  }

  /** Within a transaction: to begin another one in it is warned of. @throws Failed if that doesn't arrive */
  async assertNotices(): Promise<void> {
    await this.#ask('BEGIN');
    if (!this.#noticed) throw new Failed(new Unheard());
  }

  /** @throws Failed if a function that writes was called, and wasn't heard */
  assertHeard(): void {
    if (!this.#heard) throw new Failed(new Unheard());
  }

  /** Commits. False if PostgreSQL has rolled back instead, as it does after an error. */
  async commit(): Promise<boolean> {
    const { command } = await this.#ask('COMMIT');
    this.#inTransaction = false;
    return command === 'COMMIT';
  }

  /**
   * Ends what a failed statement has begun, and says whether the server still answers: so that statement has failed for
   * good. (A report of an error alone doesn't tell: the server may have ended with it, in the middle of a commit.)
   */
  async rollback(): Promise<boolean> {
    if (this.#spent) return false;
    try {
      await this.#ask('ROLLBACK');
      this.#inTransaction = false;
      return true;
    } catch {
      this.#spent = true;
      return false;
    }
  }

  /**
   * Hears what is told on a channel, until the signal or the end of the connection, which serves for nothing else then.
   * False at once where a pooler stands between: it would leave the listening to a backend that others are given, and
   * pass nothing on. A pooler makes up the process that it says a connection leads to.
   */
  async listen(channel: string, heard: () => void, signal: AbortSignal): Promise<boolean> {
    const [row] = await this.query('SELECT pg_catalog.pg_backend_pid()');
    if (Number(row?.[0]) !== this.#client.processID) return false;
    this.#spent = true;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const client = this.#client;
    client.on('notification', heard);
    for (const event of ['error', 'end'] as const) client.on(event, resolve as () => void);
    signal.addEventListener('abort', resolve as () => void);
    try {
      await this.#ask(`LISTEN ${channel}`);
      // What was told before is known by asking once more.
      if (!signal.aborted) await over;
      return true;
    } finally {
      client.off('notification', heard);
      for (const event of ['error', 'end'] as const) client.off(event, resolve as () => void);
      signal.removeEventListener('abort', resolve as () => void);
    }
  }

  /** Whether it was lost, or leads to a server that takes no writes any more. */
  get spent(): boolean {
    return this.#spent;
  }

  /** Gives the connection back, or ends it if it is of no more use. */
  release(end = false): void {
    this.#client.off('error', this.#onError);
    this.#client.off('notice', this.#onNotice);
    this.#client.release(end || this.#spent || this.#inTransaction);
  }

  async #ask(
    text: string,
    parameters?: readonly Parameter[],
    timeoutMs = this.#waits.answerTimeoutMs,
  ): Promise<Answer> {
    const query = { text, rowMode: 'array', types: AS_TEXT, ...(parameters && { values: [...parameters] }) } as const;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(timeoutMs)), timeoutMs);
    });
    const asked = this.#client.query(query);
    try {
      const answer = (await Promise.race([asked, late])) as Answer;
      // The warning comes before the answer, which says that all is well.
      if (this.#notReplicated) throw new NotReplicated();
      return answer;
    } catch (error) {
      if (error instanceof NoAnswer) void asked.catch(() => undefined);
      const failed = new Failed(error);
      // A server that takes no writes any more may have been overtaken by another, at the same address.
      if (isLost(failed) || sqlState(failed) === '25006') this.#spent = true;
      throw failed;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Runs statements on a connection as they stand. */
export function queryOn(connection: Connection): Query {
  return (text, parameters) => connection.query(text, parameters);
}

interface Answer {
  readonly rows: readonly Row[];
  readonly command: string;
}

// Several statements in one text give an answer each; nobody asks for their rows.
function rowsOf(answer: Answer | readonly Answer[]): readonly Row[] {
  return 'rows' in answer ? answer.rows : [];
}

export class Connections {
  readonly #hosts: Hosts;
  readonly #waits: Waits;
  readonly #place: string;
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(hosts: Hosts, waits: Waits, place: string) {
    this.#hosts = hosts;
    this.#waits = waits;
    this.#place = place;
  }

  /** Runs work on a connection of its own. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed(this.#place);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#running.add(done);
    try {
      const connection = await this.#take();
      try {
        return await work(connection);
      } finally {
        if (connection.spent) this.#hosts.distrust();
        connection.release();
      }
    } finally {
      this.#running.delete(done);
      resolve();
    }
  }

  /** Nothing new is begun; what is under way comes to its end first: a pool that ends forgets who waits for a connection. */
  async end(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#running);
    // A connection that is dead without knowing it would keep us waiting for as long as the network does.
    await Promise.race([this.#hosts.end(), sleep(END_MS, undefined, { ref: false })]);
  }

  /** Tries again, with growing pauses, until there is a connection or the time is over. */
  async #take(): Promise<Connection> {
    const end = performance.now() + this.#waits.connectTimeoutMs;
    let told: Failed | undefined;
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      try {
        return await this.#connect(Math.max(1, end - performance.now()));
      } catch (error) {
        const failed = error instanceof Failed ? error : new Failed(error, { connecting: true });
        if (isPermanent(failed)) throw failed;
        // The last try is cut short by the end of the time: that it got no answer says less than what was said before.
        if (told === undefined || !(error instanceof NoAnswer)) told = failed;
        const left = end - performance.now();
        if (left <= 0) throw translated(told, this.#place);
        // Many servers come back at once: each at a moment of its own.
        await sleep(Math.min(left, pause * (0.5 + Math.random())));
      }
    }
  }

  /** The pool's own waiting may have no end. */
  async #connect(timeoutMs: number): Promise<Connection> {
    const connecting = this.#hosts.connect();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(timeoutMs)), timeoutMs);
    });
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      if (error instanceof NoAnswer) {
        void connecting.then(
          (connection) => connection.release(),
          () => undefined,
        );
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
