/**
 * A connection: for one piece of work, with an end to every waiting.
 *
 * Nothing is left behind on it: no settings, no named statements, no locks of the session. So a pooler such as PgBouncer
 * may stand between (transaction mode). A statement that gets no answer is given up, and then it is cancelled at the server,
 * unless it may commit: a commit that waits for a standby would be seen by others from then on, though no standby has it.
 * (Whatever else a write waits for has an end at the server: lock.ts.)
 */
import type { Buffer } from 'node:buffer';
import { clearTimeout, setTimeout } from 'node:timers';
import { cancel } from './cancel.ts';
import { Abandoned, Failed, isLost, NoAnswer, NotReplicated, READ_ONLY, sqlState, Unheard } from '../failed.ts';
import { HEARD } from '../writing/lock.ts';
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

/** How long the request that cancels a statement may take, in milliseconds; then the server is thought to be gone. */
const CANCEL_MS = 2_000;
/**
 * How long a statement that was cancelled may take to end, in milliseconds. Until then its connection counts as one that is
 * in use: behind a pooler that passes nothing on, statements that never end can't pile up.
 */
const UNFINISHED_MS = 60_000;

export interface StatementOptions {
  /** For statements that may take longer, or wait for a lock. */
  readonly timeoutMs?: number | undefined;
  /** Whether it may commit something: then it is never cancelled. */
  readonly commits?: boolean | undefined;
}

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
  /** Why nothing is asked here any more, and what rejects the calls that wait. */
  #abandoned: Abandoned | undefined;
  readonly #toTell = new Set<(error: Abandoned) => void>();
  /** What was given up, and isn't answered yet. */
  #unanswered: { readonly answered: Promise<unknown>; readonly commits: boolean; readonly failed: Failed } | undefined;

  constructor(client: PostgresClient, waits: Waits) {
    this.#client = client;
    this.#waits = waits;
    // Between two statements there is no other listener: the process would end.
    this.#onError = () => (this.#spent = true);
    client.on('error', this.#onError);
    this.#onNotice = ({ routine, message }) => {
      this.#noticed = true;
      this.#notReplicated ||= routine === SYNC_WAIT;
      this.#heard ||= message === HEARD;
    };
    client.on('notice', this.#onNotice);
  }

  /** @throws Failed */
  async query(text: string, parameters?: readonly Parameter[], options?: StatementOptions): Promise<readonly Row[]> {
    return rowsOf(await this.#ask(text, parameters, options));
  }

  /** Begins a transaction that doesn't rest on settings of others (settings.ts). */
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
    const { command } = await this.#ask('COMMIT', undefined, { commits: true });
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

  /** Nothing is asked here any more: what is under way is given up. */
  abandon(): void {
    this.#spent = true;
    this.#abandoned ??= new Abandoned();
    for (const tell of this.#toTell) tell(this.#abandoned);
  }

  /** Rejects when the connection is abandoned, for work that pauses between two statements. */
  get abandoned(): Promise<never> {
    return new Promise((_, reject) => this.#onAbandoned((error) => reject(new Failed(error))));
  }

  /** What is told of a statement that was given up here. */
  get unanswered(): Failed | undefined {
    return this.#unanswered?.failed;
  }

  /**
   * Gives the connection back, or ends it if it is of no more use. Where a statement was given up that is a promise, which
   * resolves when the server has ended it, as far as that can be known.
   */
  release(end = false): Promise<void> | undefined {
    if (this.#unanswered === undefined) {
      this.#end(end || this.#spent || this.#inTransaction);
      return undefined;
    }
    const { answered, commits } = this.#unanswered;
    return this.#cancelled(answered, commits).finally(() => this.#end(true));
  }

  #end(destroy: boolean): void {
    this.#client.off('error', this.#onError);
    this.#client.off('notice', this.#onNotice);
    this.#client.release(destroy);
  }

  async #cancelled(answered: Promise<unknown>, commits: boolean): Promise<void> {
    // What can't be reached is gone, or is as good as gone.
    if (commits || (await cancel(this.#client, CANCEL_MS)) === 'unreachable') return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, UNFINISHED_MS);
      timer.unref();
      const over = (): void => {
        clearTimeout(timer);
        resolve();
      };
      void answered.then(over, over);
      this.#onAbandoned(over);
    });
  }

  #onAbandoned(tell: (error: Abandoned) => void): void {
    if (this.#abandoned) tell(this.#abandoned);
    else this.#toTell.add(tell);
  }

  async #ask(text: string, parameters?: readonly Parameter[], options: StatementOptions = {}): Promise<Answer> {
    if (this.#abandoned) throw new Failed(this.#abandoned, { beginning: true });
    const { timeoutMs = this.#waits.answerTimeoutMs, commits = false } = options;
    const query = { text, rowMode: 'array', types: AS_TEXT, ...(parameters && { values: [...parameters] }) } as const;
    const given = Promise.withResolvers<never>();
    const timer = setTimeout(() => given.reject(new NoAnswer(timeoutMs)), timeoutMs);
    this.#toTell.add(given.reject);
    const answered = this.#client.query(query);
    try {
      const answer = (await Promise.race([answered, given.promise])) as Answer;
      // The warning comes before the answer, which says that all is well.
      if (this.#notReplicated) throw new NotReplicated();
      return answer;
    } catch (error) {
      const failed = new Failed(error);
      if (error instanceof NoAnswer || error instanceof Abandoned) {
        void answered.catch(() => undefined);
        this.#unanswered = { answered, commits, failed };
      }
      // A server that takes no writes any more may have been overtaken by another, at the same address.
      if (isLost(failed) || sqlState(failed) === READ_ONLY) this.#spent = true;
      throw failed;
    } finally {
      clearTimeout(timer);
      this.#toTell.delete(given.reject);
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

// Several statements in one text give an answer each; their rows are never needed.
function rowsOf(answer: Answer | readonly Answer[]): readonly Row[] {
  return 'rows' in answer ? answer.rows : [];
}
