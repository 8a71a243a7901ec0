/** Turns of the event loop, for stores that answer without waiting for anything. */
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Lanes } from '../lanes.ts';
import type { ForBatch } from './store.ts';

/** The kind of call that goes before all others: to write, and to read what is written on. */
export const WRITE = 'write';
/** So many of them in a row, while others wait: some of a batch, and not all of one who writes without a pause. */
const WRITES_IN_A_ROW = 4;

/** The kind of a call that reads: where a batch waits for it, it goes with those that write. */
export function kindOf(kind: string, options: ForBatch | undefined): string {
  return options?.forBatch ? WRITE : kind;
}

/** Turns of the microtask queue; all of them take 3 µs. (Node's ticks would come after all: `node:process` opens streams.) */
const HOPS = 16;
/** The longest that calls in a row keep the event loop waiting, in milliseconds. */
const STINT_MS = 2;

/**
 * Gives the event loop a turn now and then. A caller that reads in a loop runs on promises alone where the store never
 * waits, and would keep timers, I/O and every other caller of its process waiting for ever. Of those who wait, the kinds
 * (`load`, `read`, …) take turns.
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
  /** Since the last call of another kind. */
  #writes = 0;

  /** Makes a call as soon as there is time for it. */
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

  /** Never rejects: each call's error is its caller's. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#waiting.size > 0) {
      await setImmediate();
      this.#since = performance.now();
      do {
        this.#waiting.next(this.#nextKind())!();
        // What its caller makes of the answer counts as well.
        await untilTaken();
      } while (this.#waiting.size > 0 && !this.#isOver());
    }
    this.#isServing = false;
  }
}

/** Until whoever was answered has made something of it, as a rule: each layer that hands an answer on takes a turn or three. */
async function untilTaken(): Promise<void> {
  for (let hop = 0; hop < HOPS; hop += 1) await undefined;
}
