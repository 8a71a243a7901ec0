/** Queries that no index serves: which, how often, and how long they took. */

/** A kind of query: of one collection, with the same fields and operators, whatever the values. */
export interface UnservedQuery {
  readonly collection: string;
  /** Its fields and operators, without values: `price lt AND seller_id eq`. */
  readonly where: string;
  /** Its `orderBy`: `price asc`. */
  readonly orderBy: string;
  readonly times: number;
  /** Milliseconds, all together and at most. */
  readonly totalMs: number;
  readonly longestMs: number;
}

/** Kinds that are kept: the one used least recently goes. */
const KINDS_MAX = 100;

export class Unserved {
  readonly #kinds = new Map<string, UnservedQuery>();

  add(kind: Pick<UnservedQuery, 'collection' | 'where' | 'orderBy'>, ms: number): void {
    const key = JSON.stringify([kind.collection, kind.where, kind.orderBy]);
    const { times = 0, totalMs = 0, longestMs = 0 } = this.#kinds.get(key) ?? {};
    this.#kinds.delete(key);
    const sum = { ...kind, times: times + 1, totalMs: totalMs + ms, longestMs: Math.max(longestMs, ms) };
    this.#kinds.set(key, Object.freeze(sum));
    if (this.#kinds.size > KINDS_MAX) this.#kinds.delete(this.#kinds.keys().next().value!);
  }

  /** Those that took most first. */
  list(): readonly UnservedQuery[] {
    return [...this.#kinds.values()].sort((one, other) => other.totalMs - one.totalMs);
  }
}
