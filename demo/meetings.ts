/**
 * Where servers met. A conflict alone doesn't show that anybody did: who takes turns meets what the last one did in a
 * cache that is out of date. So a server's conflicts count in those rounds only in which another was at work with it.
 */
import type { Raced } from './server.ts';

export class Meetings {
  readonly #conflicts: Map<string, number>;
  /** Rounds in which servers were at work at the same moment. */
  rounds = 0;

  constructor(names: readonly string[]) {
    this.#conflicts = new Map(names.map((name) => [name, 0]));
  }

  /** By server. */
  get conflictsByServer(): ReadonlyMap<string, number> {
    return this.#conflicts;
  }

  get conflicts(): number {
    return [...this.#conflicts.values()].reduce((total, conflicts) => total + conflicts, 0);
  }

  /** What each server did in a round. */
  take(round: readonly { readonly name: string; readonly raced: Raced }[]): void {
    const met = round.filter((one) => round.some((other) => other !== one && atOnce(one.raced, other.raced)));
    if (met.length > 0) this.rounds += 1;
    for (const { name, raced } of met) this.#conflicts.set(name, (this.#conflicts.get(name) ?? 0) + raced.conflicts);
  }
}

function atOnce(one: Raced, other: Raced): boolean {
  return one.from < other.to && other.from < one.to;
}
