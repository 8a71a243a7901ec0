/**
 * Watching: a page, or one document, now and again whenever it has changed. A watcher looks when its reader asks for the next:
 * one that is slow gets the newest, not every one, and nobody waits for it.
 */
import { LimitExceeded, ReducerFailed } from '../../errors.ts';
import { STORED_STATE_BYTES_MAX } from '../../limits.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import { assertedId } from '../../model/id.ts';
import { unborn } from '../../model/reduce.ts';
import type { StoredDocument } from '../../store/store.ts';
import { Halt } from '../halt.ts';
import { documentOf, type Document } from '../reading/document.ts';
import { isTooLarge, tooLarge } from '../reading/stored-document.ts';
import type { Page } from './asked.ts';
import { LISTED, pageQuestion } from './find.ts';
import { findPage, shownDocument, shownPage } from './page.ts';
import type { SetPlace } from './queried.ts';
import { ASKED, onSet, questionOf, type Context, type Question } from './question.ts';
import { seen } from './visit.ts';

/** Checks what is given at once; reads when it is iterated. @throws InvalidInput */
export function watch(
  context: Context,
  collection: CollectionDefinition,
  given: unknown,
  options: unknown,
): AsyncIterableIterator<Page<unknown> | Document<unknown>> {
  const { question: asked } = questionOf('watch', collection, options, { fresh: ASKED.fresh, signal: ASKED.signal });
  if (typeof given === 'string') {
    const id = assertedId(collection.name, given);
    return watched(context, asked, (question) => sightOfDocument(context, question, id));
  }
  const { where, orderBy, limit } = LISTED;
  const page = {
    ...pageQuestion('watch', collection, given, { where, orderBy, limit }),
    fresh: asked.fresh,
    signal: asked.signal,
  };
  return watched<Page<unknown>>(context, page, async ({ fresh }) => {
    const found = await findPage(context, { ...page, fresh });
    const stored = found.found.map((document) => document.stored);
    return new Sight(found.at, stored, found.next, () => shownPage(page, found));
  });
}

/** What is seen at one time. */
class Sight<Shown> {
  /** It is looked again once documents have moved on from here. */
  readonly at: SetPlace;
  readonly show: () => Shown;
  readonly #stored: readonly (StoredDocument | undefined)[];
  readonly #next: string | undefined;

  constructor(
    at: SetPlace,
    stored: readonly (StoredDocument | undefined)[],
    next: string | undefined,
    show: () => Shown,
  ) {
    this.at = at;
    this.show = show;
    this.#stored = stored;
    this.#next = next;
  }

  isSameAs(other: Sight<Shown>): boolean {
    if (this.#next !== other.#next || this.#stored.length !== other.#stored.length) return false;
    return this.#stored.every((document, index) => isSame(document, other.#stored[index]));
  }
}

/** By the state too: reducers that were mended make another one of the same version. */
function isSame(one: StoredDocument | undefined, other: StoredDocument | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    one.id === other.id &&
    one.version === other.version &&
    one.changed === other.changed &&
    one.state === other.state &&
    one.failed === other.failed
  );
}

async function sightOfDocument(context: Context, question: Question, id: string): Promise<Sight<Document<unknown>>> {
  const { collection } = question;
  const { at, stored } = await onSet(context, question, async ({ set }) => {
    const page = await context.queried.stored({ set, ids: [id] });
    return page && { at: { set, place: page.place }, stored: page.documents[0] };
  });
  return new Sight(at, [stored], undefined, () => {
    if (stored === undefined) return documentOf(collection, id, unborn(collection, id));
    if (stored.failed === undefined) return shownDocument(collection, seen(stored));
    if (isTooLarge(stored)) throw tooLargeToWatch(collection.name, id, stored.version);
    throw new ReducerFailed(
      `The document ${JSON.stringify(id)} of ${collection.name} can’t be folded further than version ${stored.version}: ${stored.failed}`,
      { collection: collection.name, id, version: stored.version },
    );
  });
}

function tooLargeToWatch(collection: string, id: string, version: number): LimitExceeded {
  return new LimitExceeded(
    `${tooLarge(collection, id).message} It can’t be watched meanwhile; get gives it. Watch it again once it is smaller.`,
    { collection, id, version, max: STORED_STATE_BYTES_MAX },
  );
}

type Look<Shown> = (question: Question) => Promise<Sight<Shown>>;

/** Not the generator itself: its `return()` would wait until something changes. */
function watched<Shown>(context: Context, question: Question, look: Look<Shown>): AsyncIterableIterator<Shown> {
  const halt = new Halt([question.signal, context.queried.closing]);
  const sights = sightsOf(context, question, look, halt);
  const watching = {
    next: () => sights.next(),
    return: () => {
      halt.stop();
      return sights.return(undefined);
    },
    throw: (error: unknown) => {
      halt.stop();
      return sights.throw(error);
    },
    [Symbol.asyncIterator]: () => watching,
    [Symbol.asyncDispose]: async () => void (await watching.return()),
  };
  return watching;
}

/** The longest rest between two looks, in milliseconds. A watcher looks at most half of the time. */
const REST_MS_MAX = 1_000;

async function* sightsOf<Shown>(
  { queried }: Context,
  asked: Question,
  look: Look<Shown>,
  halt: Halt,
): AsyncGenerator<Shown, undefined, undefined> {
  const { runtime } = queried;
  let question = asked;
  let shown: Sight<Shown> | undefined;
  try {
    for (;;) {
      const began = runtime.elapsed();
      const sight = await unlessAway(queried, 'read', halt, () => look(question));
      // The first one is new enough; from there on documents only move on.
      question = { ...asked, fresh: false };
      const looked = runtime.elapsed();
      if (!shown || !sight.isSameAs(shown)) {
        shown = sight;
        yield sight.show();
      }
      await unlessAway(queried, 'moved', halt, (signal) => queried.moved(asked.collection, sight.at, signal));
      const rest = Math.min(looked - began, REST_MS_MAX) - (runtime.elapsed() - looked);
      if (rest > 0) await halt.orElse((signal) => runtime.sleep(rest, signal));
    }
  } catch (error) {
    // After `stop` the error is only that of the interrupted wait.
    if (!halt.stopped) throw error;
  }
  return undefined;
}

/** Does it, and again after a pause as long as the store can't be reached. */
async function unlessAway<Result>(
  { outage }: Context['queried'],
  call: 'read' | 'moved',
  halt: Halt,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  for (;;) {
    try {
      const result = await halt.orElse(work);
      outage.answered(call);
      return result;
    } catch (error) {
      await outage.sitOut(call, error, halt);
    }
  }
}
