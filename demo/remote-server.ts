/** The parent's side of a server process: forks it, and turns calls into messages and replies into results. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DocumentIds } from './digest.ts';
import type { Request } from './plan.ts';
import type { Raced, Server, ServerReport } from './server.ts';

export interface Call {
  readonly number: number;
  readonly method: Exclude<keyof Server, 'name'>;
  readonly argument?: unknown;
}

export type Reply =
  { readonly number: number; readonly value: unknown } | { readonly number: number; readonly error: string };

/** How long a process may take to end after it was asked to; then it is killed. */
const CLOSE_MAX_MS = 3_000;

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** Starts a server process on the log at an address. Resolves when it has opened the log. */
export async function forkServer(name: string, address: string): Promise<Server> {
  const child = fork(fileURLToPath(new URL('./server-process.ts', import.meta.url)), [name], {
    // stdout belongs to the parent's report.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  const server = new RemoteServer(name, child);
  child.send(address, () => undefined);
  try {
    await server.opened;
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

class RemoteServer implements Server {
  readonly name: string;
  readonly opened: Promise<void>;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #gone: Error | undefined;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#exited = once(child, 'exit').catch(() => undefined);
    // However this process ends, short of SIGKILL (then the child finds itself disconnected).
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    this.opened = this.#expect(0);
    child.on('message', (reply: Reply) => this.#settle(reply));
    child.on('error', (error) => this.#lose(error.message));
    child.on('exit', (code, signal) => this.#lose(signal ? `it was ended by ${signal}` : `exit code ${code}`));
  }

  ready(requests: readonly Request[]): Promise<void> {
    return this.#call('ready', requests);
  }

  go(): Promise<Raced> {
    return this.#call('go');
  }

  digests(ids: DocumentIds): Promise<readonly string[]> {
    return this.#call('digests', ids);
  }

  report(): Promise<ServerReport> {
    return this.#call('report');
  }

  /** The process closes its log when it finds itself disconnected, and ends. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MAX_MS);
    await this.#exited;
    clearTimeout(impatience);
  }

  #call<Value>(method: Call['method'], argument?: unknown): Promise<Value> {
    if (this.#gone) return Promise.reject(this.#gone);
    this.#calls += 1;
    const number = this.#calls;
    const result = this.#expect<Value>(number);
    this.#child.send({ number, method, argument } satisfies Call, (error) => {
      if (error) this.#settle({ number, error: error.message });
    });
    return result;
  }

  #expect<Value>(number: number): Promise<Value> {
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    this.#waiting.set(number, { resolve, reject });
    return promise;
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.number);
    this.#waiting.delete(reply.number);
    if ('error' in reply) waiting?.reject(new Error(`The server ${this.name} failed: ${reply.error}`));
    else waiting?.resolve(reply.value as never);
  }

  #lose(why: string): void {
    this.#gone ??= new Error(`The server ${this.name} is gone: ${why}.`);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone);
    this.#waiting.clear();
  }
}
