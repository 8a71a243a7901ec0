/**
 * A connection in a thread of its own, for what takes long and holds nobody's lock: SQLite is synchronous, and in the thread
 * of the event loop everybody would wait. The thread is started with the first statement.
 */
import { Worker } from 'node:worker_threads';

/** As text, so that nothing has to be found beside a program that was bundled. Waiting for a lock holds only this thread. */
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

export interface AsideOptions {
  /** How long a lock is waited for, in milliseconds. */
  readonly timeout: number;
  readonly readOnly?: boolean;
  /** What is run on the connection first. */
  readonly setUp?: string;
}

interface Answer {
  readonly rows?: readonly (readonly unknown[])[];
  readonly failed?: { readonly message: string };
}

export class Aside {
  readonly #worker: Worker;
  readonly #asked: { resolve: (rows: readonly never[]) => void; reject: (error: unknown) => void }[] = [];
  #ended: unknown;

  constructor(url: URL, { setUp = '', ...options }: AsideOptions) {
    this.#worker = new Worker(THREAD, {
      eval: true,
      // Node says of its SQLite that it is experimental, once is enough.
      execArgv: ['--no-warnings'],
      workerData: {
        ...options,
        url: url.href,
        setUp: `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; ${setUp}`,
      },
    });
    this.#worker.unref();
    this.#worker.on('message', ({ rows, failed }: Answer) => {
      // An answer may have been on its way when the thread was ended, and everybody told so.
      const asked = this.#asked.shift();
      if (this.#asked.length === 0) this.#worker.unref();
      if (failed) asked?.reject(Object.assign(new Error(failed.message), failed));
      else asked?.resolve(rows as readonly never[]);
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

  /** Ends the thread once the statement that runs is done. Whoever waits is told `reason` now. */
  async end(reason: unknown): Promise<void> {
    this.#end(reason);
    await this.#worker.terminate();
  }

  #end(reason: unknown): void {
    this.#ended ??= reason;
    for (const { reject } of this.#asked.splice(0)) reject(this.#ended);
  }
}
