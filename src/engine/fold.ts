/**
 * Folding whole collections again, from event 1: one pass over the log, in its order, with nothing taken from the cache.
 * Memory grows with the number of documents, not with that of events.
 */
import { LogCorrupt } from '../errors.ts';
import type { AnyCollection, CollectionDefinition } from '../model/collection.ts';
import type { AnyEvent } from '../model/event.ts';
import { nextState, unborn } from '../model/reduce.ts';
import { PAGE_ROWS_MAX, type LogEnd, type ScannedEvent } from '../store/store.ts';
import type { Core } from './core.ts';
import { documentOf, type Document } from './document.ts';
import { knownCollection } from './get.ts';
import { eventFromStore } from './recorded.ts';

/** A document on its way. Changed in place: a new object for each event would be a fifth of the work. */
interface Folding {
  readonly definition: CollectionDefinition;
  readonly id: string;
  version: number;
  changed: number;
  state: unknown;
}

/** The highest number that a document may have: more than a log has room for. */
const NUMBERS_MAX = 2 ** 31;

/** What is folded, by the store's numbers: a look-up by id for each attachment costs as much as folding it. */
interface Fold {
  readonly core: Core;
  readonly wanted: ReadonlyMap<string, CollectionDefinition>;
  /** Null for documents of other collections. */
  readonly documents: (Folding | null | undefined)[];
  /** In the order of their first events. */
  readonly folding: Folding[];
}

/**
 * Every document of the collections, as of one end of the log.
 *
 * @throws ReducerFailed, UpcastFailed if a document can't be folded; LogCorrupt if versions have a gap
 */
export async function foldCollections(
  core: Core,
  collections: readonly AnyCollection[],
): Promise<readonly ReadonlyMap<string, Document<unknown>>[]> {
  // Not `map`, which passes over the holes of a sparse array.
  const definitions = Array.from(collections, (collection) => knownCollection(core, collection));
  const fold: Fold = { core, wanted: new Map(definitions.map((one) => [one.name, one])), documents: [], folding: [] };
  const { documents } = fold;
  const known = (document: number): boolean => documents[document] !== undefined;
  let after = 0;
  let end: LogEnd | undefined;
  do {
    core.watermark.assertWhole();
    const before = core.watermark.seen;
    const page = await core.session.scan({ after, limit: PAGE_ROWS_MAX, known });
    await core.watermark.observe(before, page.end, core.session);
    end ??= page.end;
    for (const { document, collection, id } of page.named) {
      // Numbers are small: an array of far larger ones would be no array any more, and only damage can have made them.
      if (document > NUMBERS_MAX) throw unnamed(page.events[0]!.position);
      const definition = fold.wanted.get(collection);
      documents[document] = definition ? { definition, id, ...unborn(definition, id) } : null;
      if (documents[document]) fold.folding.push(documents[document]);
    }
    for (const event of page.events) {
      if (event.position > end.position) break;
      foldEvent(fold, event);
      after = event.position;
    }
  } while (after < end.position);
  return definitions.map((definition) => documentsOf(fold, definition));
}

function foldEvent({ core, documents }: Fold, stored: ScannedEvent): void {
  const { attachments, position, type, time } = stored;
  // Parsed once, and only if somebody handles it.
  let event: AnyEvent | undefined;
  for (let index = 0; index < attachments.length; index += 2) {
    const folding = documents[attachments[index]!];
    if (folding === null) continue;
    if (folding === undefined) throw unnamed(position);
    const { definition, id } = folding;
    const version = attachments[index + 1]!;
    if (version !== folding.version + 1) throw gap(folding, position, version);
    const reducer = definition.reduce.get(type);
    if (reducer) {
      event ??= eventFromStore(core.events, stored);
      folding.state = nextState(definition, id, version, reducer, folding.state, event, time);
      folding.changed = version;
    }
    folding.version = version;
  }
}

function gap({ definition, id, version: reached }: Folding, position: number, version: number): LogCorrupt {
  return new LogCorrupt(
    `${definition.name} ${JSON.stringify(id)} is at version ${reached}, but the event at position ${position} says that it makes version ${version}. Run verify.`,
    { collection: definition.name, id, position, version },
  );
}

function unnamed(position: number): LogCorrupt {
  return new LogCorrupt(
    `The store didn't say which document the event at position ${position} is attached to. Run verify.`,
    {
      position,
    },
  );
}

function documentsOf({ folding: all }: Fold, definition: CollectionDefinition): ReadonlyMap<string, Document<unknown>> {
  const made = new Map<string, Document<unknown>>();
  for (const folding of all) {
    if (folding.definition !== definition || folding.version === 0) continue;
    made.set(folding.id, documentOf(definition.name, folding.id, folding));
  }
  return made;
}
