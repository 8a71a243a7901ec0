/** Reading documents: loads the events after the version in hand, and folds them on top. */
import { LogCorrupt } from '../errors.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { AnyEvent } from '../model/event.ts';
import { reduce, type Folded } from '../model/reduce.ts';
import type { DocumentEvent, LogEnd, Session } from '../store/store.ts';
import type { Core } from './core.ts';
import { eventFromStore, placed } from './recorded.ts';

export interface Wanted {
  readonly collection: CollectionDefinition;
  readonly id: string;
  /** The document as far as it is known; what comes after is loaded. */
  readonly from: Folded;
  /** Not further than this version. */
  readonly upTo?: number | undefined;
}

export interface Found {
  /** The document, or as far as it could be folded. */
  readonly folded: Folded;
  /** Its head in the store. */
  readonly head: number;
  /** What kept it from being folded further: a reducer or an upcast that fails. */
  readonly error?: unknown;
}

/**
 * Brings documents up to date at one consistent point of the log.
 *
 * @throws HistoryDiverged if the store holds less than was seen
 */
export async function loadDocuments(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  wanted: readonly Wanted[],
  asOf?: number,
): Promise<{ readonly end: LogEnd; readonly found: readonly Found[] }> {
  const found: Found[] = wanted.map(({ from }) => ({ folded: from, head: from.version }));
  let open = wanted.map((_, index) => index);
  let end: LogEnd | undefined;
  do {
    const before = core.watermark.seen;
    const loaded = await io.load(
      open.map((index) => {
        const { collection, id, upTo } = wanted[index]!;
        return { collection: collection.name, id, after: found[index]!.folded.version, upTo };
      }),
      { asOf: asOf ?? end?.position },
    );
    await core.watermark.observe(before, loaded.end, io);
    end ??= loaded.end;
    const incomplete: number[] = [];
    const read = eventReader(core);
    for (const [n, { head, events }] of loaded.documents.entries()) {
      const index = open[n]!;
      const { collection, id, upTo = Infinity, from } = wanted[index]!;
      if (head < from.version) throw core.watermark.diverge(loaded.end);
      const next = foldEvents(read, collection, id, found[index]!.folded, events);
      found[index] = { ...next, head };
      if (!next.error && next.folded.version < Math.min(head, upTo)) {
        if (events.length === 0 && n === 0) throw gap(collection.name, id, next.folded.version + 1);
        incomplete.push(index);
      }
    }
    open = incomplete;
  } while (open.length > 0);
  return { end, found };
}

/** An event as a document needs it. @throws LogCorrupt, DomainOutdated, UpcastFailed */
export type ReadEvent = (stored: DocumentEvent) => AnyEvent;

/** Reads the events of one answer of the store, each once, however many documents of the answer share it. */
export function eventReader({ events }: Pick<Core, 'events'>): ReadEvent {
  const found = new Map<number, AnyEvent>();
  return (stored) => {
    let event = found.get(stored.position);
    if (event === undefined) found.set(stored.position, (event = eventFromStore(events, stored, stored.time)));
    return event;
  };
}

/** Folds stored events on top of a document; stops at the first that can't be folded. */
export function foldEvents(
  read: ReadEvent,
  collection: CollectionDefinition,
  id: string,
  from: Folded,
  events: readonly DocumentEvent[],
): { readonly folded: Folded; readonly error?: unknown } {
  let folded = from;
  for (const stored of events) {
    if (stored.version !== folded.version + 1) throw gap(collection.name, id, folded.version + 1);
    try {
      // What isn't handled only counts: its text needn't be read.
      const event: AnyEvent = collection.handled.has(stored.type) ? read(stored) : { type: stored.type };
      folded = reduce(collection, id, folded, event, stored.time);
    } catch (error) {
      const { position, version } = stored;
      return { folded, error: placed(error, position, [{ collection: collection.name, id, version }]) };
    }
  }
  return { folded };
}

function gap(collection: string, id: string, version: number): LogCorrupt {
  return new LogCorrupt(
    `Version ${version} of ${collection} ${JSON.stringify(id)} is missing from the store. Stop writing to it, keep it, and run verify.`,
    { collection, id, version },
  );
}
