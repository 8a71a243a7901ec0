/**
 * Connections: taken from a pool of `pg`'s for one piece of work each, with an end to every waiting.
 *
 * Nothing is left behind on a connection: no settings, no named statements, no locks of the session. So a pooler such as
 * PgBouncer may stand between (transaction mode).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { closed, Failed, isLost, isPermanent, NoAnswer, sqlState, translated } from './errors.ts';
import type { PostgresClient, PostgresPool } from './pool.ts';

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

export class Connection {
  readonly #client: PostgresClient;
  readonly #waits: Waits;
  readonly #onError: () => void;
  /** Of no more use: lost, without an answer, or in a transaction that nobody has ended. */
  #spent = false;
  #inTransaction = false;

  constructor(client: PostgresClient, waits: Waits) {
    this.#client = client;
    this.#waits = waits;
    // Between two statements nobody else listens: the process would end.
    this.#onError = () => (this.#spent = true);
    client.on('error', this.#onError);
  }

  /** `timeoutMs` is for statements that may take longer, or wait for a lock. Throws `Failed`. */
  async query(text: string, parameters?: readonly Parameter[], timeoutMs?: number): Promise<readonly Row[]> {
    return rowsOf(await this.#ask(text, parameters, timeoutMs));
  }

  async begin(mode: string): Promise<void> {
    this.#inTransaction = true;
    await this.#ask(`BEGIN ISOLATION LEVEL ${mode}`);
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

  /** Gives the connection back, or ends it if it is of no more use. */
  release(): void {
    this.#client.off('error', this.#onError);
    this.#client.release(this.#spent || this.#inTransaction);
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
      return (await Promise.race([asked, late])) as Answer;
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

interface Answer {
  readonly rows: readonly Row[];
  readonly command: string;
}

// Several statements in one text give an answer each; nobody asks for their rows.
function rowsOf(answer: Answer | readonly Answer[]): readonly Row[] {
  return 'rows' in answer ? answer.rows : [];
}

const heard = new WeakSet<PostgresPool>();

export class Connections {
  readonly #pool: PostgresPool;
  readonly #own: boolean;
  readonly #waits: Waits;
  readonly #place: string;
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  /** `own`: the pool ends with the session. */
  constructor(pool: PostgresPool, own: boolean, waits: Waits, place: string) {
    this.#pool = pool;
    this.#own = own;
    this.#waits = waits;
    this.#place = place;
    // An idle connection that is lost is no reason for the process to end: the next call makes another. One listener
    // serves all sessions on a pool, and stays: connections of ours may be idle in it for longer than we are.
    if (!heard.has(pool)) {
      pool.on('error', () => undefined);
      // Nor is one that is lost while it changes hands: the server's farewell may come in the very packet that a
      // connection is ready with, and is then read before whoever waits for the connection has been given it.
      pool.on('connect', (client) => client.on('error', () => undefined));
    }
    heard.add(pool);
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
    if (this.#own) await Promise.race([this.#pool.end(), sleep(END_MS, undefined, { ref: false })]);
  }

  /** Tries again, with growing pauses, until there is a connection or the time is over. */
  async #take(): Promise<Connection> {
    const end = performance.now() + this.#waits.connectTimeoutMs;
    let told: Failed | undefined;
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      try {
        return new Connection(await this.#connect(Math.max(1, end - performance.now())), this.#waits);
      } catch (error) {
        const failed = new Failed(error, true);
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
  async #connect(timeoutMs: number): Promise<PostgresClient> {
    const connecting = this.#pool.connect();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(timeoutMs)), timeoutMs);
    });
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      if (error instanceof NoAnswer) {
        void connecting.then(
          (client) => client.release(),
          () => undefined,
        );
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
