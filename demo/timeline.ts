/** The data of the picture: when each place was sold and by whom, and a few complete rounds. */
import type { Raced } from './server.ts';

interface Sale {
  /** The place of its server in the list of their names. */
  readonly server: number;
  /** Milliseconds of the clock that all processes share. */
  readonly at: number;
}

/** What a server did in a round. */
export interface Turn extends Pick<Raced, 'from' | 'to'> {
  readonly server: number;
  readonly sales: readonly Sale[];
}

/** With more, the picture would be large and show nothing. */
const SALES_MAX = 1_000;
/** By then all code is compiled. Of a shorter race, the last rounds are kept completely. */
const CLOSE_UNTIL = 300;
const CLOSE_ROUNDS = 6;

export class Timeline {
  readonly names: readonly string[];
  /** The first of them, in the order of their rounds. */
  readonly sales: Sale[] = [];
  /** Rounds that stand side by side. */
  readonly close: Turn[][] = [];
  #rounds = 0;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** The number of the first of the rounds that are kept in full. */
  get closeFrom(): number {
    return Math.min(this.#rounds, CLOSE_UNTIL) - this.close.length + 1;
  }

  take(round: readonly { readonly name: string; readonly raced: Raced }[]): void {
    const turns = round.map(({ name, raced: { from, to, answers } }): Turn => {
      const server = this.names.indexOf(name);
      // A command that was sent to two servers was executed by the one that answered it as new.
      const sales = answers.filter(({ sold, replayed }) => sold && !replayed).map(({ at }) => ({ server, at }));
      return { server, from, to, sales };
    });
    this.#rounds += 1;
    if (this.#rounds <= CLOSE_UNTIL) this.close.push(turns);
    if (this.close.length > CLOSE_ROUNDS) this.close.shift();
    this.sales.push(...turns.flatMap(({ sales }) => sales).slice(0, SALES_MAX - this.sales.length));
  }
}
