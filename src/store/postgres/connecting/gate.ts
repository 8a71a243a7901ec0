/**
 * Which call gets a connection of a pool, and when: our own queue before the pool's, shared by all sessions on that pool.
 *
 * Reads leave one connection to writes, and writes one to reads: many of one don't stop the other. Among reads the kinds
 * (`load`, `read`, …) take turns: a thousand calls that page through the log wait for each other, but no command waits for
 * all of them.
 */
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { ConnectionsBusy } from '../../../errors.ts';
import { Lanes } from '../../../lanes.ts';
import { WRITE } from '../../turns.ts';
import type { Settings } from './options.ts';
import type { PostgresPool } from './pool.ts';

/** What a connection is wanted for: to write (with what must be read for it), or a kind of reading. */
export type Purpose = typeof WRITE | (string & {});

type Patience = Pick<Settings, 'connectTimeoutMs' | 'callsWaitingMax' | 'place'>;

/** To be called once, when the connection is free again. */
export type Leave = () => void;

const gates = new WeakMap<PostgresPool, Gate>();

/** Kinds that read the whole log (`fold`, `verify`) get at most half of the connections that reads may have. */
const WALKS: ReadonlySet<Purpose> = new Set(['scan', 'documents', 'check']);
/** These and pages of the log (followers, histories) leave one connection to shorter reads. */
const PAGES: ReadonlySet<Purpose> = new Set([...WALKS, 'read']);

export class Gate {
  readonly #max: number;
  #reading = 0;
  #paging = 0;
  #walking = 0;
  #writing = 0;
  /** Calls that wait, by their purpose. */
  readonly #waiting = new Lanes<() => void>();

  constructor(connectionsMax: number) {
    this.#max = connectionsMax;
  }

  /** The gate of a pool that has room for so many connections. */
  static of(pool: PostgresPool, connectionsMax: number): Gate {
    const gate = gates.get(pool) ?? new Gate(connectionsMax);
    gates.set(pool, gate);
    return gate;
  }

  /** Resolves when there is a connection for this purpose. @throws ConnectionsBusy */
  async enter(purpose: Purpose, patience: Patience): Promise<Leave> {
    if (this.#isFree(purpose)) this.#count(purpose, 1);
    else await this.#wait(purpose, patience);
    return () => {
      this.#count(purpose, -1);
      this.#serve();
    };
  }

  #isFree(purpose: Purpose): boolean {
    const most = Math.max(1, this.#max - 1);
    if (WALKS.has(purpose) && this.#walking >= Math.max(1, Math.floor(most / 2))) return false;
    if (PAGES.has(purpose) && this.#paging >= Math.max(1, most - 1)) return false;
    const side = purpose === WRITE ? this.#writing : this.#reading;
    return side < most && this.#reading + this.#writing < this.#max;
  }

  #count(purpose: Purpose, by: 1 | -1): void {
    if (purpose === WRITE) this.#writing += by;
    else this.#reading += by;
    if (PAGES.has(purpose)) this.#paging += by;
    if (WALKS.has(purpose)) this.#walking += by;
  }

  async #wait(purpose: Purpose, { connectTimeoutMs, callsWaitingMax, place }: Patience): Promise<void> {
    const before = this.#waiting.sizeOf(purpose);
    if (before >= callsWaitingMax) throw this.#busy(purpose, place, before, 0);
    const since = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const own = this.#waiting.add(purpose, resolve);
    const timer = setTimeout(() => {
      const waiting = this.#waiting.sizeOf(purpose);
      if (this.#waiting.leave(purpose, own)) reject(this.#busy(purpose, place, waiting, performance.now() - since));
    }, connectTimeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets in the next call that may have a connection. Writes come first: a session has one at a time. */
  #serve(): void {
    for (const purpose of [WRITE, ...this.#waiting.names()]) {
      if (this.#waiting.sizeOf(purpose) === 0 || !this.#isFree(purpose)) continue;
      // Counted now: a call that comes before it runs must not get its place.
      this.#count(purpose, 1);
      return this.#waiting.next(purpose)!();
    }
  }

  #busy(purpose: Purpose, place: string, waiting: number, waitedMs: number): ConnectionsBusy {
    return new ConnectionsBusy(
      `All ${this.#max} connections to the log in ${place} are busy, and ${waiting} calls wait for one (${purpose}). Nothing was ` +
        'done: send fewer at once and this one again, or give it more connections (`connections`; of a pool of yours, `max`).',
      { place, connections: this.#max, waitsFor: purpose, waiting, waitedMs: Math.round(waitedMs) },
    );
  }
}
