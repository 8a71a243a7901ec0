/**
 * `count`. A document that matches throughout is counted once, and one that never does isn't, whatever changes meanwhile: one that
 * changes its place in an index while that is read may be met twice there, or not at all.
 */
import type { CollectionDefinition } from '../../model/collection.ts';
import { COUNTED_IDS_MAX, SCAN_ROWS } from './bounds.ts';
import { planOf, type Plan } from './plan.ts';
import { ASKED, onSet, questionOf, type Context, type Question } from './question.ts';
import { shapeOf } from './shape.ts';
import { hasMoved, visit, visitIds, type Pace, type Visited } from './visit.ts';

export async function count(context: Context, collection: CollectionDefinition, given: unknown): Promise<number> {
  const { question } = questionOf('count', collection, given, ASKED);
  const { queried, unserved } = context;
  return onSet(context, question, async ({ set, indexes }, pace) => {
    const began = queried.runtime.elapsed();
    const plan = planOf(question.filter, undefined, indexes);
    const counting = { context, question, set, pace };
    const found = plan.index === undefined ? await byIds(counting) : await byIndex(counting, plan);
    if (found !== undefined && !plan.isServed) unserved.add(shapeOf(question), queried.runtime.elapsed() - began);
    return found;
  });
}

interface Counting {
  readonly context: Context;
  readonly question: Question;
  readonly set: number;
  readonly pace: Pace;
}

/** In the order of ids, which don't change. Undefined if the set is gone. */
async function byIds({ context: { queried }, question, set, pace }: Counting): Promise<number | undefined> {
  const { ranges } = planOf(question.filter, undefined, []);
  let found = 0;
  const route = { set, index: undefined, ranges, reverse: false, rows: SCAN_ROWS };
  const visited = await visit(queried.stored, route, pace, (document) => {
    if (question.matches(document)) found += 1;
    return false;
  });
  return visited && found;
}

/** By an index; those that have moved meanwhile are looked at by their ids. */
async function byIndex(counting: Counting, { index, ranges }: Plan): Promise<number | undefined> {
  const { context, question, set, pace } = counting;
  const { queried } = context;
  const ids = new Set<string>();
  let found = 0;
  const route = { set, index, ranges, reverse: false, rows: SCAN_ROWS };
  const visited = await visit(queried.stored, route, pace, (document) => {
    if (!question.matches(document)) return false;
    found += 1;
    if (ids.size < COUNTED_IDS_MAX) ids.add(document.id);
    return false;
  });
  if (!visited || !hasMoved(visited)) return visited && found;
  const touched = ids.size < COUNTED_IDS_MAX ? await touchedOf(counting, visited) : undefined;
  if (!touched) return byIds(counting);
  for (const id of touched) ids.delete(id);
  let again = 0;
  const isThere = await visitIds(queried.stored, set, touched, pace, (document) => {
    if (question.matches(document)) again += 1;
  });
  return isThere ? ids.size + again : undefined;
}

function touchedOf(
  { context: { queried }, question: { collection } }: Counting,
  { place, last }: Visited,
): Promise<ReadonlySet<string> | undefined> {
  return queried.touched(collection, place.position, last.position);
}
