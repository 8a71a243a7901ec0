/** What may go wrong between a server and the store, and how often: drawn for each run, so that some are all sunshine. */
import type { Chance } from '../src/testing/conformance/random.ts';

/** Once in so many times; 0 is never. */
export interface Climate {
  /** A request doesn't reach the store, and its sender knows that. */
  readonly refusedIn: number;
  /** The answer to a write is lost, which was done. */
  readonly doubtIn: number;
  /** The answer to a write is lost, which was never done. */
  readonly lostIn: number;
  /** The answer to a write is lost, which is done some time later. */
  readonly lateIn: number;
}

/** What becomes of a request to write. */
type Fate = 'arrives' | 'refused' | 'lost' | 'late';

export class Weather {
  readonly #climate: Climate;
  readonly #chance: Chance;
  /** The store can't be reached at all. */
  away = false;
  /** Nothing goes wrong any more. */
  calm = false;

  constructor(climate: Climate, chance: Chance) {
    this.#climate = climate;
    this.#chance = chance;
  }

  refuses(): boolean {
    return !this.calm && (this.away || this.#once(this.#climate.refusedIn));
  }

  fate(): Fate {
    if (this.refuses()) return 'refused';
    if (this.calm) return 'arrives';
    if (this.#once(this.#climate.lostIn)) return 'lost';
    return this.#once(this.#climate.lateIn) ? 'late' : 'arrives';
  }

  /** Whether the answer to a write gets lost on its way back. */
  losesAnswer(): boolean {
    return !this.calm && (this.away || this.#once(this.#climate.doubtIn));
  }

  #once(inTimes: number): boolean {
    return inTimes > 0 && this.#chance.once(inTimes);
  }
}

export const NEVER: Climate = { refusedIn: 0, doubtIn: 0, lostIn: 0, lateIn: 0 };

export function drawClimate(chance: Chance): Climate {
  if (chance.once(3)) return NEVER;
  const often = (): number => (chance.once(3) ? 0 : chance.pick([3, 8, 20]));
  return { refusedIn: chance.once(2) ? 0 : chance.pick([20, 60]), doubtIn: often(), lostIn: often(), lateIn: often() };
}
