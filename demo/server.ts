/** What a server of the marketplace does, in a separate process or in this one. */
import { createHistogram } from 'node:perf_hooks';
import { open, type App, type Outcome, type Store } from 'tidemark';
import { digestsOf, type DocumentIds } from './digest.ts';
import { buyService, createService, marketplace, registerUser } from './domain.ts';
import type { Request } from './plan.ts';

/** A server's answer to one command. */
export interface Answer {
  readonly id: string;
  /** Why it was refused; null if it succeeded. */
  readonly reason: string | null;
  /** Where its last event stands in the log. */
  readonly position: number;
  /** Whether a place was sold by it. */
  readonly sold: boolean;
  /** Whether it had been answered before, and this is that answer. */
  readonly replayed: boolean;
  /** When it was answered; milliseconds of a clock that all processes share. */
  readonly at: number;
}

export interface Raced {
  readonly answers: readonly Answer[];
  /** Batches refused because a document had moved, meanwhile. */
  readonly conflicts: number;
  /** When the first command went in and the last was answered, by the same clock. */
  readonly from: number;
  readonly to: number;
}

export interface ServerReport {
  /** Of all commands: from `execute` to the outcome, in milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number };
}

export interface Server {
  readonly name: string;
  /** Holds the commands ready. Nothing is read or decided yet. */
  ready(requests: readonly Request[]): Promise<void>;
  /** Executes them all at once. */
  go(): Promise<Raced>;
  /** A digest of each document, as this server knows it. If it doesn't know one, it reads it. */
  digests(ids: DocumentIds): Promise<readonly string[]>;
  report(): Promise<ServerReport>;
  close(): Promise<void>;
}

export async function openServer(name: string, store: Store): Promise<Server> {
  return new LocalServer(name, await open({ store, ...marketplace }));
}

type Market = App<(typeof marketplace.commands)[number]>;

class LocalServer implements Server {
  readonly name: string;
  readonly #app: Market;
  readonly #latency = createHistogram();
  #held: readonly Request[] = [];

  constructor(name: string, app: Market) {
    this.name = name;
    this.#app = app;
  }

  async ready(requests: readonly Request[]): Promise<void> {
    this.#held = requests;
  }

  async go(): Promise<Raced> {
    const before = await this.#conflicts();
    const from = clock();
    const answers = await Promise.all(this.#held.map((request) => this.#answer(request)));
    const to = clock();
    return { answers, conflicts: (await this.#conflicts()) - before, from, to };
  }

  async digests(ids: DocumentIds): Promise<readonly string[]> {
    return digestsOf(this.#app, ids);
  }

  async report(): Promise<ServerReport> {
    const milliseconds = (percentile: number): number => this.#latency.percentile(percentile) / 1e6;
    return { latency: { p50: milliseconds(50), p99: milliseconds(99) } };
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  async #answer(request: Request): Promise<Answer> {
    const start = clock();
    const { status, reason, events, position, replayed } = await this.#execute(request);
    const at = clock();
    this.#latency.record(Math.max(1, Math.round((at - start) * 1e6)));
    const sold = events.some(({ event }) => event.type === 'SERVICE_BOUGHT');
    return { id: request.id, reason: status === 'failed' ? reason : null, position, sold, replayed, at };
  }

  /** Each command carries the server's name into the log, so the log can show who won. */
  #execute({ id, command, input }: Request): Promise<Outcome> {
    const options = { id, correlation: this.name };
    switch (command) {
      case 'REGISTER_USER':
        return this.#app.execute(registerUser, input, options);
      case 'CREATE_SERVICE':
        return this.#app.execute(createService, input, options);
      case 'BUY_SERVICE':
        return this.#app.execute(buyService, input, options);
    }
  }

  async #conflicts(): Promise<number> {
    return (await this.#app.status()).counters.conflicts;
  }
}

/** The machine's monotonic clock: unlike the time of day it isn't set while processes start one after the other. */
function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
