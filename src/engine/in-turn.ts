/** Work that goes on for a few at once, the others in the order in which they came. */
import { Overloaded } from '../errors.ts';
import { Line } from '../line.ts';

export class InTurn {
  readonly #atOnce: number;
  readonly #waitingMax: number;
  readonly #waiting = new Line<() => void>();
  #going = 0;

  constructor(atOnce: number, waitingMax = Infinity) {
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  /** @throws Overloaded if too many wait already; and what the work throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#going < this.#atOnce) this.#going += 1;
    else {
      const { size: waiting } = this.#waiting;
      if (waiting >= this.#waitingMax) {
        throw new Overloaded(
          `${waiting} calls that read the whole log wait for their turn already: call fewer at once, and this one again later, or raise limits.longReadsWaitingMax.`,
          { waiting, max: this.#waitingMax, limit: 'longReadsWaitingMax' },
        );
      }
      await new Promise<void>((resolve) => void this.#waiting.add(resolve));
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
