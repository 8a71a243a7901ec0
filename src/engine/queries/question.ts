/** What all queries have: which documents of which collection are asked for, and how new they must be. */
import { InvalidInput, StoreUnavailable } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { reading } from '../../model/foreign.ts';
import { abortSignal, anything, optionsOf, whole, type Check, type Checks } from '../../options.ts';
import type { KnownFields } from './known-fields.ts';
import { matcherOf, type Matcher } from './matcher.ts';
import { orderOf, type Order } from './order.ts';
import type { Queried, QueriedSet } from './queried.ts';
import type { Unserved } from './unserved.ts';
import { Pace } from './visit.ts';
import { filterOf, type Filter } from './where.ts';

/** The options of any query, as they were given. */
export interface Given {
  readonly where?: unknown;
  readonly orderBy?: unknown;
  readonly limit?: number | undefined;
  readonly after?: unknown;
  readonly fresh?: boolean | number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const fresh: Check<boolean | number> = (value, refuse) => {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return whole(0)(value, refuse);
  return refuse('must be true, false or a position');
};

/** The checks of what all queries are given; `where`, `orderBy` and `after` are checked where they are read. */
export const ASKED = { where: anything, fresh, signal: abortSignal } satisfies Partial<Checks<Given>>;

/** A query that was checked. */
export interface Question {
  readonly collection: CollectionDefinition;
  readonly filter: Filter;
  readonly matches: Matcher;
  readonly order: Order;
  /** By path, where it was named first. */
  readonly named: ReadonlyMap<string, string>;
  readonly fresh: boolean | number;
  readonly signal: AbortSignal | undefined;
}

/** What the queries of an application share. */
export interface Context {
  readonly queried: Queried;
  readonly known: KnownFields;
  readonly unserved: Unserved;
}

/** Reads a caller's options once. @throws InvalidInput */
export function questionOf(
  what: string,
  collection: CollectionDefinition,
  given: unknown,
  checks: Partial<Checks<Given>>,
): { readonly question: Question; readonly options: Given } {
  const options = optionsOf<Given>(what, given, checks as Checks<Given>, InvalidInput);
  const named = new Map<string, string>();
  // A getter or a proxy of the caller may throw.
  const { filter, order } = reading(
    what,
    () => ({
      filter: filterOf(options.where, named),
      order: orderOf(options.orderBy, named),
    }),
    InvalidInput,
  );
  const { fresh = true, signal } = options;
  return { question: { collection, filter, matches: matcherOf(filter), order, named, fresh, signal }, options };
}

/** How often a set is looked for whose documents the store didn't know any more. */
const TRIES_MAX = 10;

/** Does a piece of work on the set of a question's documents, once that is new enough; again, if the work gave undefined. */
export async function onSet<Result>(
  { queried, known }: Context,
  { collection, named, fresh, signal }: Question,
  work: (set: QueriedSet, pace: Pace) => Promise<Result | undefined>,
): Promise<Result> {
  signal?.throwIfAborted();
  const position = typeof fresh === 'number' ? fresh : fresh ? queried.told() : 0;
  const pace = new Pace(queried, signal);
  const unknown = known.unknown(collection, named.keys());
  let isKnown = unknown.length === 0;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (position > 0) await queried.reached(collection, position, signal);
    const set = await queried.setOf(collection);
    isKnown ||= await known.find(collection, set, unknown, named, pace);
    const result = isKnown ? await work(set, pace) : undefined;
    if (result !== undefined) return result;
    // Another server has put another set in its place: it is known in a moment.
    await pace.rest();
  }
  throw new StoreUnavailable(
    `The stored documents of ${collection.name} were replaced again and again while they were read. Try again.`,
    { collection: collection.name },
  );
}
