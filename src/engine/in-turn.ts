/** Work that goes on for a few at once; the others wait in lanes that take turns, in each in the order in which they came. */
import { Lanes } from '../lanes.ts';

export class InTurn {
  readonly #atOnce: number;
  readonly #assertRoom: (waiting: number) => void;
  readonly #waiting = new Lanes<() => void>();
  #going = 0;

  /** `assertRoom` throws if so many wait that nobody else may. */
  constructor(atOnce: number, assertRoom: (waiting: number) => void = () => undefined) {
    this.#atOnce = atOnce;
    this.#assertRoom = assertRoom;
  }

  /**
   * Whoever asks for the same as thousands of others names a lane by that.
   *
   * @throws what `assertRoom` and the work throw
   */
  async run<T>(work: () => Promise<T>, name = ''): Promise<T> {
    if (this.#going < this.#atOnce) this.#going += 1;
    else {
      this.#assertRoom(this.#waiting.size);
      await new Promise<void>((resolve) => this.#waiting.add(name, resolve));
    }
    try {
      return await work();
    } finally {
      // The place is handed on: whoever comes now doesn't get in between.
      const next = this.#waiting.next();
      if (next) next();
      else this.#going -= 1;
    }
  }
}
