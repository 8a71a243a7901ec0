/**
 * Long work gives the event loop a turn by the time it took, not by how much it did: one event may cost a microsecond, and the next,
 * of a document with a large state, milliseconds.
 */
import type { Runtime } from './runtime.ts';

/** After so many milliseconds it is somebody else's turn. A single step comes on top. */
const STINT_MS = 5;

export class Pace {
  readonly #runtime: Pick<Runtime, 'elapsed' | 'turn'>;
  #since: number;

  constructor(runtime: Pick<Runtime, 'elapsed' | 'turn'>) {
    this.#runtime = runtime;
    this.#since = runtime.elapsed();
  }

  /** Whether it has worked long enough: asked between two steps, as a call of `turn` for each would cost more than a small step. */
  isOver(): boolean {
    return this.#runtime.elapsed() - this.#since >= STINT_MS;
  }

  async turn(): Promise<void> {
    await this.#runtime.turn();
    this.#since = this.#runtime.elapsed();
  }
}
