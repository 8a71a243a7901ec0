/** Folding stored events on top of a document. */
import { LogCorrupt } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { AnyEvent } from '../../model/event.ts';
import { reduce, type Folded } from '../../model/reduce.ts';
import type { DocumentEvent } from '../../store/store.ts';
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

/** Folds stored events on top of a document, up to the first that can't be folded. */
export function foldEvents(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  events: readonly DocumentEvent[],
): FoldedSoFar {
  let folded = from;
  for (const stored of events) {
    if (stored.version !== folded.version + 1) throw gap(collection.name, id, folded.version + 1);
    const next = foldEvent(read, collection, id, folded, stored, stored.version);
    if (next.error !== undefined) return next;
    folded = next.folded;
  }
  return { folded, error: undefined };
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
): FoldedSoFar {
  try {
    // An unhandled event only counts: its text isn't read.
    const event: AnyEvent = collection.handled.has(stored.type) ? read(stored) : { type: stored.type };
    return { folded: reduce(collection, id, from, event, stored.time), error: undefined };
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
