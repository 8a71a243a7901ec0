/**
 * A connection, for one piece of work. No call on it waits for ever.
 *
 * Nothing is left behind on it: no settings, no named statements, no locks of the session. So it may go through a pooler
 * such as PgBouncer (transaction mode). A statement that gets no answer is given up, and cancelled at the server unless it
 * may commit: cancelling a commit that waits for a standby would make it visible, though no standby has it. (All other
 * waiting of a write has a timeout at the server: lock.ts.)
 */
import type { Buffer } from 'node:buffer';
import { clearTimeout, setTimeout } from 'node:timers';
import { cancel } from './cancel.ts';
import { Abandoned, Failed, isLost, NoAnswer, READ_ONLY, sqlState, Unheard } from '../failed.ts';
import type { PostgresClient, PostgresNotice } from './pool.ts';
import { beginSettings, type TransactionSettings } from './settings.ts';

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

// The user's pool may parse values in its own way; the store takes texts and reads them where it needs them.
const AS_TEXT = { getTypeParser: () => (value: string) => value };

/** How long the request that cancels a statement may take, in milliseconds. Then the server counts as gone. */
const CANCEL_MS = 2_000;
/**
 * How long a cancelled statement may take to end, in milliseconds. Until then its connection counts as used: so statements
 * that never end can't pile up behind a pooler that passes no cancelling on.
 */
const UNFINISHED_MS = 60_000;

export interface StatementOptions {
  /** For statements that may take longer, or wait for a lock. */
  readonly timeoutMs?: number | undefined;
  /** It may commit something, so it is never cancelled. */
  readonly commits?: boolean | undefined;
}

/**
 * The function of PostgreSQL that waits for a standby. If that waiting is ended, it only warns of it, and the answer still
 * says success. No warning means something only if warnings arrive: so every function that writes sends a notice
 * ({@link HEARD}), at a level below a warning.
 */
const SYNC_WAIT = 'SyncRepWaitForLSN';
export const HEARD = 'tidemark: heard';

export class Connection {
  readonly #client: PostgresClient;
  readonly #waits: Waits;
  readonly #onError: () => void;
  readonly #onNotice: (notice: PostgresNotice) => void;
  /** Of no more use: lost, given up, or connected to a server that takes no writes any more. */
  spent = false;
  #inTransaction = false;
  #notReplicated = false;
  #noticed = false;
  #heard = false;
  /** Set once nothing is asked here any more; and what rejects the calls that wait. */
  #abandoned: Abandoned | undefined;
  readonly #toTell = new Set<(error: Abandoned) => void>();
  /** A statement that was given up, and isn't answered yet. */
  #unanswered: { readonly answered: Promise<unknown>; readonly commits: boolean; readonly failed: Failed } | undefined;

  constructor(client: PostgresClient, waits: Waits) {
    this.#client = client;
    this.#waits = waits;
    // Between two statements nothing else listens: without it an error would end the process.
    this.#onError = () => (this.spent = true);
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
    const { rows = [] } = await this.#ask(text, parameters, options);
    return rows;
  }

  /** Begins a transaction that states its own settings (settings.ts). */
  async begin(mode: string, settings: TransactionSettings): Promise<void> {
    this.#inTransaction = true;
    try {
      await this.#ask(`BEGIN ISOLATION LEVEL ${mode}; ${beginSettings(settings)}`);
    } catch (error) {
      throw error instanceof Failed ? new Failed(error.error, { beginning: true }) : error;
    }
  }

  /** Within a transaction, where PostgreSQL warns of a second BEGIN. @throws Failed if the warning doesn't arrive */
  async assertNotices(): Promise<void> {
    await this.#ask('BEGIN');
    if (!this.#noticed) throw unheard();
  }

  /** After a function that writes was called. @throws Failed if its notice hasn't arrived */
  assertHeard(): void {
    if (!this.#heard) throw unheard();
  }

  /** False if PostgreSQL has rolled back instead, as it does after an error. */
  async commit(): Promise<boolean> {
    const { command } = await this.#ask('COMMIT', undefined, { commits: true });
    this.#inTransaction = false;
    return command === 'COMMIT';
  }

  /**
   * Ends the transaction of a failed statement. True if the server answers: then that statement has surely failed. (Its
   * error alone isn't enough: the server may have stopped in the middle of a commit.)
   */
  async rollback(): Promise<boolean> {
    if (this.spent) return false;
    try {
      await this.#ask('ROLLBACK');
      this.#inTransaction = false;
      return true;
    } catch {
      this.spent = true;
      return false;
    }
  }

  /**
   * Listens on a channel until the signal or the end of the connection, which is used for nothing else from then on. False
   * at once behind a pooler: its backend would be given to others, and it passes nothing on. (A pooler makes up the
   * process id that it gives for a connection.)
   */
  async listen(channel: string, heard: () => void, signal: AbortSignal): Promise<boolean> {
    const [row] = await this.query('SELECT pg_catalog.pg_backend_pid()');
    if (Number(row?.[0]) !== this.#client.processID) return false;
    this.spent = true;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const client = this.#client;
    client.on('notification', heard);
    for (const event of ['error', 'end'] as const) client.on(event, end);
    signal.addEventListener('abort', end);
    try {
      await this.#ask(`LISTEN ${channel}`);
      // The caller asks once more for what was told before.
      if (!signal.aborted) await over;
      return true;
    } finally {
      client.off('notification', heard);
      for (const event of ['error', 'end'] as const) client.off(event, end);
      signal.removeEventListener('abort', end);
    }
  }

  /** Nothing is asked here any more: what is under way is given up. */
  abandon(): void {
    this.spent = true;
    this.#abandoned ??= new Abandoned('the session was closed before an answer came');
    for (const tell of this.#toTell) tell(this.#abandoned);
  }

  /** Rejects when the connection is abandoned, for work that pauses between two statements. */
  get abandoned(): Promise<never> {
    return new Promise((_, reject) => this.#onAbandoned((error) => reject(new Failed(error))));
  }

  /** The failure of a statement that was given up here. */
  get unanswered(): Failed | undefined {
    return this.#unanswered?.failed;
  }

  /**
   * Gives the connection back, or ends it if it is of no more use. If a statement was given up, the promise resolves when the
   * server has ended it, as far as that can be known.
   */
  release(end = false): Promise<void> | undefined {
    if (this.#unanswered === undefined) {
      this.#end(end || this.spent || this.#inTransaction);
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
    // A server that can't be reached counts as gone.
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
      // The warning comes before the answer, which says success.
      if (this.#notReplicated) throw new Error('the primary has it, but its waiting for a standby was ended');
      return answer;
    } catch (error) {
      const failed = new Failed(error);
      if (error instanceof NoAnswer || error instanceof Abandoned) {
        void answered.catch(() => undefined);
        this.#unanswered = { answered, commits, failed };
      }
      // If the server takes no writes any more, another one may take them now at the same address.
      if (isLost(failed) || sqlState(failed) === READ_ONLY) this.spent = true;
      throw failed;
    } finally {
      clearTimeout(timer);
      this.#toTell.delete(given.reject);
    }
  }
}

function unheard(): Failed {
  return new Failed(
    new Unheard('the notices of PostgreSQL do not arrive here, so it is unknown whether a standby has the commit'),
  );
}

/** Runs statements on a connection as they are. */
export function queryOn(connection: Connection): Query {
  return (text, parameters) => connection.query(text, parameters);
}

/** Several statements in one text get an array of these instead; nothing of it is needed. */
interface Answer {
  readonly rows?: readonly Row[];
  readonly command?: string;
}
