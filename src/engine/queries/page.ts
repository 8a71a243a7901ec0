/** A page of documents in an order. */
import { Buffer } from 'node:buffer';
import type { CollectionDefinition } from '../../model/collection.ts';
import { Heap } from '../../heap.ts';
import { freezePlain } from '../../model/json.ts';
import { documentOf, type Document } from '../reading/document.ts';
import type { Page } from './asked.ts';
import { FIND_BYTES_MAX, SCAN_ROWS } from './bounds.ts';
import { cursorAt } from './cursor.ts';
import { comparer, placer, type Place } from './order.ts';
import { planOf, rangesAfter, type Plan } from './plan.ts';
import type { SetPlace } from './queried.ts';
import { onSet, type Context, type Question } from './question.ts';
import { shapeOf } from './shape.ts';
import { hasMoved, visit, visitIds, type Pace, type Route, type Seen, type Visited } from './visit.ts';
import type { Cursor } from './where-types.ts';

/** A question about one page. */
export interface PageQuestion extends Question {
  /** See cursor.ts: asked for only if there is a cursor. */
  readonly name: () => string;
  readonly limit: number;
  readonly after: Place | undefined;
}

/** A document that was found, at its place. */
interface Found {
  readonly place: Place;
  readonly document: Seen;
}

/** A page as it was found: what watchers compare it by, too. */
export interface FoundPage {
  readonly found: readonly Seen[];
  readonly next: Cursor | undefined;
  readonly at: SetPlace;
}

/** How often a page is read anew if the documents that have moved meanwhile aren't known. */
const AGAIN_MAX = 2;
const AGAIN_MS_MAX = 50;

/**
 * Looks for a page. A document that belongs to it throughout is in it, and none comes twice: one that changes its place in an index
 * while that is read may be met twice there, or not at all, so those that have moved are looked at by their ids. If they are too many
 * ({@link TOUCHED_EVENTS_MAX}), the page is read again at most twice; after that it may lack documents that have moved.
 */
export function findPage(context: Context, question: PageQuestion): Promise<FoundPage> {
  return onSet(context, question, async ({ set, indexes }, pace) => {
    const { runtime } = context.queried;
    const began = runtime.elapsed();
    const plan = planOf(question.filter, question.order, indexes);
    const reading = { context, question, set, plan, pace };
    for (let tries = 0; ; tries += 1) {
      const read = await (plan.isOrdered ? inOrder : bestOf)(reading);
      if (!read) return undefined;
      const isMoving = plan.index !== undefined && hasMoved(read.visited);
      const result = isMoving ? await settled(reading, read) : read;
      if (!result) return undefined;
      const isWhole = result !== read || !isMoving;
      if (!isWhole && tries < AGAIN_MAX && runtime.elapsed() - began < AGAIN_MS_MAX) continue;
      if (!plan.isServed) context.unserved.add(shapeOf(question), runtime.elapsed() - began);
      return pageOf(question, set, result);
    }
  });
}

interface Reading {
  readonly context: Context;
  readonly question: PageQuestion;
  readonly set: number;
  readonly plan: Plan;
  readonly pace: Pace;
}

interface Result {
  /** In order: what there is before `end`. */
  readonly found: readonly Found[];
  /** The place of the first document that isn't in the page; undefined if there are no more. */
  readonly end: Place | undefined;
  readonly visited: Visited;
}

/** The first documents that match: they come in the order that is asked for. */
async function inOrder({ context, question, set, plan, pace }: Reading): Promise<Result | undefined> {
  const { order, matches, limit, after } = question;
  const ranges = after ? rangesAfter(plan, after) : plan.ranges;
  const found: Found[] = [];
  const placeOf = placer(order);
  let bytes = 0;
  let end: Place | undefined;
  const visited = await visit(context.queried.stored, routeOf(set, plan, ranges, limit + 1), pace, (document) => {
    if (!matches(document)) return false;
    const one = { place: placeOf(document), document };
    bytes += bytesOf(one);
    if (isPast(found.length + 1, bytes, limit)) end = one.place;
    else found.push(one);
    return end !== undefined;
  });
  return visited && { found, end, visited };
}

/** The best of all documents that match. */
async function bestOf({ context, question, set, plan, pace }: Reading): Promise<Result | undefined> {
  const { order, matches, limit, after } = question;
  const compare = comparer(order);
  const placeOf = placer(order);
  const best = new Heap<Found>((one, other) => compare(one.place, other.place) > 0);
  let bytes = 0;
  let end: Place | undefined;
  const visited = await visit(context.queried.stored, routeOf(set, plan, plan.ranges, SCAN_ROWS), pace, (document) => {
    if (!matches(document)) return false;
    const place = placeOf(document);
    if (after && compare(place, after) <= 0) return false;
    // What comes after one that had no room has none either.
    if (end && compare(place, end) >= 0) return false;
    const one = { place, document };
    best.add(one);
    bytes += bytesOf(one);
    while (isPast(best.size, bytes, limit)) {
      const last = best.next()!;
      bytes -= bytesOf(last);
      end = last.place;
    }
    return false;
  });
  const found: Found[] = [];
  for (let last = best.next(); last; last = best.next()) found.push(last);
  return visited && { found: found.reverse(), end, visited };
}

/** With what has moved in the index meanwhile as it is now. Unchanged if that isn't known; undefined if the set is gone. */
async function settled({ context, question, set, pace }: Reading, read: Result): Promise<Result | undefined> {
  const { collection, order, matches, limit, after } = question;
  const { queried } = context;
  const { place, last } = read.visited;
  const touched = await queried.touched(collection, place.position, last.position);
  if (!touched) return read;
  const compare = comparer(order);
  const placeOf = placer(order);
  const found = read.found.filter(({ document }) => !touched.has(document.id));
  const isThere = await visitIds(queried.stored, set, touched, pace, (document) => {
    if (!matches(document)) return;
    const now = placeOf(document);
    // What is at the end, or after it, belongs to a later page.
    const isWithin = !(after && compare(now, after) <= 0) && !(read.end && compare(now, read.end) >= 0);
    if (isWithin) found.push({ place: now, document });
  });
  if (!isThere) return undefined;
  // Where all of them have gone, there is no place that the next page could begin at.
  if (found.length === 0 && read.end) return read;
  found.sort((one, other) => compare(one.place, other.place));
  let bytes = 0;
  const past = found.findIndex((one, index) => isPast(index + 1, (bytes += bytesOf(one)), limit));
  if (past < 0) return { ...read, found };
  return { ...read, found: found.slice(0, past), end: found[past]!.place };
}

/** Whether a page of so many documents, with so many bytes of states, is more than one. */
function isPast(documents: number, bytes: number, limit: number): boolean {
  return documents > limit || (documents > 1 && bytes > FIND_BYTES_MAX);
}

function bytesOf({ document }: Found): number {
  return Buffer.byteLength(document.stored.state);
}

function routeOf(set: number, { index, reverse }: Plan, ranges: Plan['ranges'], rows: number): Route {
  return { set, index, ranges, reverse, rows };
}

function pageOf({ name }: PageQuestion, set: number, { found, end, visited }: Result): FoundPage {
  const { place } = visited;
  const shown = hasMoved(visited) ? eachOnce(found) : found;
  const last = shown.at(-1);
  const next = end && last ? cursorAt(name(), last.place) : undefined;
  return { found: shown.map(({ document }) => document), next, at: { set, place } };
}

/** A document that changed while others were looked at may have been met twice: the newer one stays. */
function eachOnce(found: readonly Found[]): readonly Found[] {
  const newest = new Map<string, Found>();
  for (const one of found) {
    const known = newest.get(one.document.id);
    if (!known || known.document.version <= one.document.version) newest.set(one.document.id, one);
  }
  return found.filter((one) => newest.get(one.document.id) === one);
}

/** A page as the caller gets it. */
export function shownPage({ collection }: Question, { found, next, at }: FoundPage): Page<unknown> {
  const documents = Object.freeze(found.map((document) => shownDocument(collection, document)));
  return Object.freeze({ documents, next, position: at.place.position });
}

/** Frozen: it was made of the stored text, and nobody else has it. */
export function shownDocument(
  collection: CollectionDefinition,
  { id, version, changed, state }: Seen,
): Document<unknown> {
  if (typeof state === 'object' && state !== null) freezePlain(state);
  return documentOf(collection, id, { version, changed, state });
}
