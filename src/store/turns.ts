/** Turns of the event loop, for stores that answer without waiting. */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Lanes } from '../lanes.ts';
import type { ForBatch } from './store.ts';

/** The kind of call that goes first: writing, and reading what a write needs. */
export const WRITE = 'write';
/** Most of them in a row while others wait: a caller that writes without a pause must not hold up the rest. */
const WRITES_IN_A_ROW = 4;

/** The kind of a reading call: `WRITE` if a batch waits for it. */
export function kindOf(kind: string, options: ForBatch | undefined): string {
  return options?.forBatch ? WRITE : kind;
}

/** Turns of the microtask queue; all together take 3 µs. (Node's ticks need `node:process`, which opens streams.) */
const HOPS = 16;
/** The longest that calls in a row hold the event loop, in milliseconds. */
const STINT_MS = 2;

/**
 * Gives the event loop a turn now and then. Where the store never waits, a caller that reads in a loop would run on promises
 * alone, and block timers, I/O and all other callers of its process for ever. The kinds of waiting calls (`load`, `read`, …)
 * take turns.
 *
 * @example
 * ```ts
 * import { kindOf, Turns, WRITE } from 'tidemark/store';
 *
 * const turns = new Turns();
 * await turns.run(WRITE, () => 'stored'); // before what others only read
 * await turns.run(kindOf('read', { forBatch: false }), () => 'read');
 * ```
 */
export class Turns {
  #since = 0;
  /** Calls that wait, by kind. */
  readonly #waiting = new Lanes<() => void>();
  #isServing = false;
  /** Writes since the last call of another kind. */
  #writes = 0;

  /** Runs a call as soon as it has its turn. */
  async run<T>(kind: string, call: () => T | Promise<T>): Promise<T> {
    if (!this.#isServing && !this.#isOver()) return call();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const attempt = (): void => {
      try {
        resolve(call());
      } catch (error) {
        reject(error);
      }
    };
    this.#waiting.add(kind, attempt);
    if (!this.#isServing) void this.#serve();
    return promise;
  }

  #isOver(): boolean {
    return performance.now() - this.#since >= STINT_MS;
  }

  #nextKind(): string {
    const other = this.#waiting.nextBut(WRITE);
    const isWrite = this.#waiting.sizeOf(WRITE) > 0 && (other === undefined || this.#writes < WRITES_IN_A_ROW);
    this.#writes = isWrite ? this.#writes + 1 : 0;
    return isWrite ? WRITE : other!;
  }

  /** Never rejects: the error of a call goes to its caller. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#waiting.size > 0) {
      await setImmediate();
      this.#since = performance.now();
      do {
        this.#waiting.next(this.#nextKind())!();
        // What the caller does with the answer counts too.
        await untilTaken();
      } while (this.#waiting.size > 0 && !this.#isOver());
    }
    this.#isServing = false;
  }
}

/** Until the caller has used the answer, as a rule: each layer that passes it on takes one to three turns. */
async function untilTaken(): Promise<void> {
  for (let hop = 0; hop < HOPS; hop += 1) await undefined;
}
