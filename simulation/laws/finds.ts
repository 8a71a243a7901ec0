/** What a query found, against a plain filter over the fold of the log up to the position that it says. */
import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'tidemark';
import { plain } from '../../src/testing/conformance/plain.ts';
import type { State } from '../domain/user-code.ts';
import { holds, same } from './broken.ts';
import type { Point, Timeline } from './timeline.ts';

export type Counted = 'count' | 'hash';

/** One condition, one or two fields of an order: each may or may not have an index. */
export interface Query {
  readonly where?:
    { readonly field: Counted; readonly is: 'eq' | 'gte' | 'lt' | 'ne'; readonly value: number } | undefined;
  readonly orderBy: readonly { readonly field: Counted; readonly descends: boolean }[];
  readonly limit: number;
}

/** What was asked, and told. */
export interface Found {
  readonly release: number;
  readonly collection: string;
  readonly query: Query;
  /** What its server had told of, unless it takes what is there. */
  readonly fresh: number;
  /** Whether the store told all documents that were looked at in one page: as of one place. */
  readonly inOnePiece: boolean;
  readonly page: Page<unknown>;
}

/** The options of `find`. */
export function findOptions({ where, orderBy, limit }: Query): object {
  return {
    ...(where && { where: { [where.field]: { [where.is]: where.value } } }),
    ...(orderBy.length > 0 && {
      orderBy: orderBy.map(({ field, descends }) => ({ [field]: descends ? 'desc' : 'asc' })),
    }),
    limit,
  };
}

/** @throws LawBroken if it isn't what there was at the position, or that is too old */
export function checkFound(timeline: Timeline, found: Found, upTo: number): void {
  const { release, collection, query, fresh, page, inOnePiece } = found;
  const { position } = page;
  const what = (): string => `what ${JSON.stringify(query)} finds of ${collection} at ${position}`;
  holds(4, position <= upTo, () => `${what()}: the log ended at ${upTo}`);
  holds(4, position >= fresh, () => `${what()}: its server had told of ${fresh}`);
  const at = (moment: number): readonly Placed[] =>
    timeline
      .ids(release, collection, moment)
      .map((id) => ({ id, point: timeline.at(release, collection, id, moment) }))
      .filter(({ point }) => isFound(query, point))
      .sort((one, other) => compare(query, one, other));
  const all = at(position);
  const shown = all.slice(0, query.limit).map((one) => shownAs(collection, one));
  if (inOnePiece || isDeepStrictEqual(plain(page.documents.map(told)), shown)) {
    same(4, page.documents.map(told), shown, what);
    return same(4, page.next !== undefined, all.length > query.limit, () => `whether there is more than ${what()}`);
  }
  const last = new Map(at(upTo).map((one) => [one.id, one]));
  checkMoved(
    timeline,
    found,
    upTo,
    all.filter(({ id, point }) => last.get(id)?.point.version === point.version),
    what,
  );
}

/** Documents that have changed while they were looked at, page by page: none is older than the position, and none is told twice. */
function checkMoved(
  timeline: Timeline,
  { release, collection, query, page }: Found,
  upTo: number,
  unchanged: readonly Placed[],
  what: () => string,
): void {
  const placed = page.documents.map((document) => {
    const { id, version } = document;
    const point = timeline.atVersion(release, collection, id, version);
    const least = timeline.at(release, collection, id, page.position).version;
    const isOld = !point || version < least || point.position > upTo || !isFound(query, point);
    holds(4, !isOld, () => `${what()} has ${id} at version ${version}, and it was at ${least}`);
    same(4, told(document), shownAs(collection, { id, point: point! }), what);
    return { id, point: point! };
  });
  const ids = placed.map(({ id }) => id);
  holds(4, new Set(ids).size === ids.length && ids.length <= query.limit, () => `${what()} has ${ids.join()}`);
  const order = unchanged.filter(({ id }) => ids.includes(id)).map(({ id }) => id);
  const still = new Set(order);
  same(
    4,
    ids.filter((id) => still.has(id)),
    order,
    () => `the order of ${what()}`,
  );
  if (page.next === undefined) {
    same(
      4,
      order,
      unchanged.map(({ id }) => id),
      () => `the documents that stayed as they were of ${what()}`,
    );
  }
}

function isFound(query: Query, point: Point): boolean {
  return point.changed > 0 && !point.poisoned && matches(query, point.state);
}

function told({ collection, id, version, changed, exists, state }: Page<unknown>['documents'][number]): object {
  return { collection, id, version, changed, exists, state };
}

function shownAs(collection: string, { id, point: { version, changed, state } }: Placed): unknown {
  return plain({ collection, exists: true, id, version, changed, state });
}

function matches({ where }: Query, state: State): boolean {
  if (!where) return true;
  const value = state[where.field];
  switch (where.is) {
    case 'eq':
      return value === where.value;
    case 'ne':
      return value !== where.value;
    case 'gte':
      return value >= where.value;
    case 'lt':
      return value < where.value;
  }
}

interface Placed {
  readonly id: string;
  readonly point: Point;
}

/** Ties follow the id, in the last field's direction. */
function compare({ orderBy }: Query, one: Placed, other: Placed): number {
  for (const { field, descends } of orderBy) {
    const difference = one.point.state[field] - other.point.state[field];
    if (difference !== 0) return descends ? -difference : difference;
  }
  const byId = Buffer.compare(Buffer.from(one.id), Buffer.from(other.id));
  return orderBy.at(-1)?.descends ? -byId : byId;
}
