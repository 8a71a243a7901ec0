/** `find` and `list`. */
import { Buffer } from 'node:buffer';
import type { CollectionDefinition } from '../../model/collection.ts';
import { anything, whole } from '../../options.ts';
import type { Document } from '../reading/document.ts';
import type { Page } from './asked.ts';
import { FIND_LIMIT, FIND_LIMIT_MAX, SCAN_ROWS } from './bounds.ts';
import { nameOf, placeAt } from './cursor.ts';
import { findPage, shownDocument, shownPage, type PageQuestion } from './page.ts';
import { planOf } from './plan.ts';
import { after, type Range } from './ranges.ts';
import { ASKED, onSet, questionOf, type Context, type Question } from './question.ts';
import { Pace, seen } from './visit.ts';

export const LISTED = { ...ASKED, orderBy: anything, limit: whole(1, FIND_LIMIT_MAX) };

/** @throws InvalidInput */
export function pageQuestion(
  what: string,
  collection: CollectionDefinition,
  given: unknown,
  checks: Parameters<typeof questionOf>[3],
): PageQuestion {
  const { question, options } = questionOf(what, collection, given, checks);
  const { limit = FIND_LIMIT, after: cursor } = options;
  const name = (): string => nameOf(collection.name, question.filter, question.order);
  return {
    ...question,
    name,
    limit,
    after: cursor === undefined ? undefined : placeAt(cursor, name(), question.order),
  };
}

export async function find(context: Context, collection: CollectionDefinition, given: unknown): Promise<Page<unknown>> {
  const question = pageQuestion('find', collection, given, { ...LISTED, after: anything });
  return shownPage(question, await findPage(context, question));
}

/** Checks the options at once; reads when it is iterated. */
export function list(
  context: Context,
  collection: CollectionDefinition,
  given: unknown,
): AsyncIterableIterator<Document<unknown>> {
  return listed(context, questionOf('list', collection, given, ASKED).question);
}

/** By ids, which don't change: what exists throughout comes once. */
async function* listed(context: Context, question: Question): AsyncGenerator<Document<unknown>, undefined, undefined> {
  const { queried } = context;
  // Of the order of ids, without any index.
  let ranges: readonly Range[] = planOf(question.filter, undefined, []).ranges;
  // The first page waits until the documents are new enough: later ones are newer.
  let asked = question;
  const pace = new Pace(queried, question.signal);
  while (ranges.length > 0) {
    const [range, ...others] = ranges as readonly [Range, ...Range[]];
    const page = await onSet(context, asked, async ({ set }) => queried.stored({ set, ...range, limit: SCAN_ROWS }));
    asked = { ...question, fresh: false };
    for (const document of page.documents) {
      if (pace.isOver(document.state.length)) await pace.rest();
      if (document.changed === 0 || document.failed !== undefined) continue;
      const found = seen(document);
      if (!question.matches(found)) continue;
      yield shownDocument(question.collection, found);
      question.signal?.throwIfAborted();
      queried.closing.throwIfAborted();
    }
    const last = page.documents.at(-1);
    ranges = page.more && last ? [{ from: after(Buffer.from(last.id)), below: range.below }, ...others] : others;
  }
}
