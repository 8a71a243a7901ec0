/**
 * Rounds in which servers met. A conflict alone doesn't show a meeting: servers that take turns have conflicts too, because the
 * cache of each is out of date. So conflicts count only in rounds in which another server was at work at the same time.
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
