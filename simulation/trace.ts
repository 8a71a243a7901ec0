/** The trace of a run: one line for each step, its hash (equal traces are equal runs), and the last lines to look at. */
import { createHash, type Hash } from 'node:crypto';

const TAIL_LINES = 60;

export class Trace {
  readonly #hash: Hash = createHash('sha256');
  readonly #tail: string[] = [];
  readonly #whole: string[] | undefined;
  /** What was met on the way, and how often: a simulation that meets no trouble proves nothing. */
  readonly met = new Map<string, number>();

  constructor(keepWhole = false) {
    if (keepWhole) this.#whole = [];
  }

  note(line: string): void {
    this.#hash.update(`${line}\n`);
    this.#whole?.push(line);
    this.#tail.push(line);
    if (this.#tail.length > 2 * TAIL_LINES) this.#tail.splice(0, TAIL_LINES);
  }

  meets(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  /** Of all lines so far. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  tail(): readonly string[] {
    return this.#whole ?? this.#tail.slice(-TAIL_LINES);
  }
}
