/**
 * A connection in a thread of its own, for what takes long and holds no lock: SQLite is synchronous, and would block the event
 * loop.
 */
import { Worker } from 'node:worker_threads';
import { within } from '../../within.ts';

/** As text: a bundled program has no file beside it. Waiting for a lock holds up only this thread. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { DatabaseSync } = require('node:sqlite');
const { url, setUp, ...options } = workerData;
const database = new DatabaseSync(new URL(url), { ...options, returnArrays: true });
let isSetUp = false;
parentPort.on('message', ({ sql, parameters }) => {
  try {
    if (!isSetUp) database.exec(setUp);
    isSetUp = true;
    parentPort.postMessage({ rows: database.prepare(sql).all(...parameters) });
  } catch (error) {
    const { message, code, errcode, errstr } = error;
    parentPort.postMessage({ failed: { message, code, errcode, errstr } });
  }
});`;

/** Runs a statement and gives its rows, as arrays. */
export type Look = <Row extends readonly unknown[]>(
  sql: string,
  ...parameters: readonly (number | string)[]
) => Promise<readonly Row[]>;

interface AsideOptions {
  readonly readOnly?: boolean;
  /** SQL that the connection runs first. */
  readonly setUp?: string;
}

export class Aside {
  readonly #worker: Worker;
  readonly #asked: { resolve: (rows: readonly never[]) => void; reject: (error: unknown) => void }[] = [];
  #ended: unknown;

  constructor(url: URL, timeout: number, { setUp = '', ...options }: AsideOptions) {
    this.#worker = new Worker(THREAD, {
      eval: true,
      // Node warns that its SQLite is experimental: once is enough.
      execArgv: ['--no-warnings'],
      workerData: {
        ...options,
        timeout,
        url: url.href,
        setUp: `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; ${setUp}`,
      },
    });
    this.#worker.unref();
    this.#worker.on('message', ({ rows = [], failed }: { rows?: readonly never[]; failed?: { message: string } }) => {
      // An answer may still come after `end`.
      const asked = this.#asked.shift();
      if (this.#asked.length === 0) this.#worker.unref();
      if (failed) asked?.reject(Object.assign(new Error(failed.message), failed));
      else asked?.resolve(rows);
    });
    this.#worker.on('error', (error) => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error('The thread has ended.')));
  }

  readonly look: Look = (sql, ...parameters) => {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { promise, resolve, reject } = Promise.withResolvers<readonly never[]>();
    this.#asked.push({ resolve, reject });
    this.#worker.ref();
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, which has none
    this.#worker.postMessage({ sql, parameters });
    return promise;
  };

  /** Ends the thread once its statement is done. Calls that wait get `reason` now. */
  async end(reason: unknown): Promise<void> {
    this.#end(reason);
    await this.#worker.terminate();
  }

  #end(reason: unknown): void {
    this.#ended ??= reason;
    for (const { reject } of this.#asked.splice(0)) reject(this.#ended);
  }
}

/** How long closing waits for threads that run a statement, in milliseconds. */
const LET_GO_MS = 500;

/** The threads of a session, so that closing it can end them. */
export class Asides {
  readonly #open: (options: AsideOptions) => Aside;
  readonly #closed: () => Error;
  readonly #running = new Set<Aside>();

  /** @param timeout how long each waits for a lock, in milliseconds @param closed makes the error of a closed session */
  constructor(url: URL, timeout: number, closed: () => Error) {
    this.#open = (options) => new Aside(url, timeout, options);
    this.#closed = closed;
  }

  /** Runs `work` on a connection in a thread of its own, which ends with the work. */
  async run<T>(options: AsideOptions, work: (aside: Aside) => Promise<T>): Promise<T> {
    const aside = this.#open(options);
    this.#running.add(aside);
    try {
      return await work(aside);
    } finally {
      await this.#dismiss(aside);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#running, (aside) => within(this.#dismiss(aside), LET_GO_MS)));
  }

  async #dismiss(aside: Aside): Promise<void> {
    this.#running.delete(aside);
    await aside.end(this.#closed());
  }
}
