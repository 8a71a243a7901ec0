/** Work that goes on for a few at once; the others wait in lanes that take turns, in each in the order in which they came. */
import { Overloaded } from '../errors.ts';
import { Line } from '../line.ts';

interface Lane {
  readonly name: string;
  readonly waiting: Line<() => void>;
}

export class InTurn {
  readonly #atOnce: number;
  readonly #waitingMax: number;
  /** Those in which somebody waits, and the order of their turns. */
  readonly #lanes = new Map<string, Lane>();
  readonly #order = new Line<Lane>();
  #waiting = 0;
  #going = 0;

  constructor(atOnce: number, waitingMax = Infinity) {
    this.#atOnce = atOnce;
    this.#waitingMax = waitingMax;
  }

  /**
   * Whoever asks for the same as thousands of others names a lane by that.
   *
   * @throws Overloaded if too many wait already; and what the work throws
   */
  async run<T>(work: () => Promise<T>, name = ''): Promise<T> {
    if (this.#going < this.#atOnce) this.#going += 1;
    else {
      const waiting = this.#waiting;
      if (waiting >= this.#waitingMax) {
        throw new Overloaded(
          `${waiting} calls that read the whole log wait for their turn already: call fewer at once, and this one again later, or raise limits.longReadsWaitingMax.`,
          { waiting, max: this.#waitingMax, limit: 'longReadsWaitingMax' },
        );
      }
      await new Promise<void>((resolve) => this.#wait(name, resolve));
    }
    try {
      return await work();
    } finally {
      // The place is handed on: whoever comes now doesn't get in between.
      const next = this.#next();
      if (next) next();
      else this.#going -= 1;
    }
  }

  #wait(name: string, go: () => void): void {
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = { name, waiting: new Line() };
      this.#lanes.set(name, lane);
      this.#order.add(lane);
    }
    lane.waiting.add(go);
    this.#waiting += 1;
  }

  #next(): (() => void) | undefined {
    const lane = this.#order.next();
    if (!lane) return undefined;
    const go = lane.waiting.next();
    if (lane.waiting.size > 0) this.#order.add(lane);
    else this.#lanes.delete(lane.name);
    this.#waiting -= 1;
    return go;
  }
}
