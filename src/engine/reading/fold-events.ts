/** Folding stored events on top of a document. */
import { LogCorrupt } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { AnyEvent } from '../../model/event.ts';
import { reduce, type Folded } from '../../model/reduce.ts';
import { Twins } from '../../model/same-items.ts';
import type { DocumentEvent } from '../../store/store.ts';
import type { Pace } from '../pace.ts';
import { eventFromStore, placed, type EventDefinitions } from './recorded.ts';

/** Reads an event for a document. @throws LogCorrupt, DomainOutdated, UpcastFailed */
export type ReadEvent = (stored: Omit<DocumentEvent, 'version'>) => AnyEvent;

/** Reads the events of one answer of the store, each once, however many documents share it. */
export function eventReader({ events }: { readonly events: EventDefinitions }): ReadEvent {
  const found = new Map<number, AnyEvent>();
  return (stored) => {
    let event = found.get(stored.position);
    if (event === undefined) found.set(stored.position, (event = eventFromStore(events, stored, stored.time)));
    return event;
  };
}

/** Folds stored events on top of a document, up to the first that can't be folded. They are few: it gives no turn. */
export function foldEvents(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  events: readonly DocumentEvent[],
): FoldedSoFar {
  const lists = new Twins();
  let soFar: FoldedSoFar = { folded: from, error: undefined };
  for (const stored of events) {
    soFar = foldNext(read, collection, id, soFar.folded, stored, lists);
    if (soFar.error !== undefined) break;
  }
  return soFar;
}

/**
 * The same, with turns of the event loop. `lists` is that of the document's earlier events, if it is at hand. `each` is called for
 * each version.
 */
export async function foldInTurns(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  events: readonly DocumentEvent[],
  pace: Pace,
  lists: Twins,
  each?: (folded: Folded) => void,
): Promise<FoldedSoFar> {
  let soFar: FoldedSoFar = { folded: from, error: undefined };
  for (const stored of events) {
    soFar = foldNext(read, collection, id, soFar.folded, stored, lists);
    if (soFar.error === undefined) each?.(soFar.folded);
    if (pace.isOver()) await pace.turn();
    if (soFar.error !== undefined) break;
  }
  return soFar;
}

function foldNext(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  stored: DocumentEvent,
  lists: Twins,
): FoldedSoFar {
  if (stored.version !== from.version + 1) throw gap(collection.name, id, from.version + 1);
  return foldEvent(read, collection, id, from, stored, stored.version, lists);
}

/** A document as far as it could be folded, and the error that stopped it. */
interface FoldedSoFar {
  readonly folded: Folded;
  readonly error: unknown;
}

export function foldEvent(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  stored: Omit<DocumentEvent, 'version'>,
  version: number,
  lists?: Twins,
): FoldedSoFar {
  try {
    // An unhandled event only counts: its text isn't read.
    if (!collection.handled.has(stored.type)) return { folded: { ...from, version }, error: undefined };
    return { folded: reduce(collection, id, from, read(stored), stored.time, lists), error: undefined };
  } catch (error) {
    return { folded: from, error: placed(error, stored.position, [{ collection: collection.name, id, version }]) };
  }
}

/** The error for a version that the store should have. */
export function gap(collection: string, id: string, version: number): LogCorrupt {
  return new LogCorrupt(
    `Version ${version} of ${collection} ${JSON.stringify(id)} is missing from the store. Stop writing to it, keep it, and run verify.`,
    { collection, id, version },
  );
}
