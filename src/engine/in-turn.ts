/** Work that runs a few at once. The rest waits in lanes that take turns; within a lane in the order of arrival. */
import { Lanes } from '../lanes.ts';

export class InTurn {
  readonly #atOnce: number;
  readonly #assertRoom: (waiting: number) => void;
  readonly #waiting = new Lanes<() => void>();
  #going = 0;

  /** `assertRoom` throws if no more may wait. */
  constructor(atOnce: number, assertRoom: (waiting: number) => void = () => undefined) {
    this.#atOnce = atOnce;
    this.#assertRoom = assertRoom;
  }

  /** Work that thousands ask for names a lane. @throws what `assertRoom` and the work throw */
  async run<T>(work: () => Promise<T>, name = ''): Promise<T> {
    if (this.#going < this.#atOnce) this.#going += 1;
    else {
      this.#assertRoom(this.#waiting.size);
      await new Promise<void>((resolve) => this.#waiting.add(name, resolve));
    }
    try {
      return await work();
    } finally {
      // The place is handed on, so that no new work comes in between.
      const next = this.#waiting.next();
      if (next) next();
      else this.#going -= 1;
    }
  }
}
