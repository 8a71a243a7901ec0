/** Reading documents: loads the events after the version in hand, and folds them on top. */
import { LogCorrupt } from '../errors.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { AnyEvent } from '../model/event.ts';
import { reduce, type Folded } from '../model/reduce.ts';
import { LOAD_EVENTS_MAX, type DocumentEvent, type LoadOptions, type LogEnd, type Session } from '../store/store.ts';
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

/** Documents that are asked for at once, of which nothing is known yet. */
const WINDOW = 1_000;

/**
 * Brings documents up to date at one consistent point of the log. In windows: what an answer of the store leaves out is
 * asked for again, but no more of it than may fit, so that all of it costs as much as there are documents and events.
 *
 * @throws HistoryDiverged if the store holds less than was seen
 */
export async function loadDocuments(
  core: Core,
  io: Pick<Session, 'load' | 'commits'>,
  wanted: readonly Wanted[],
  { asOf, forBatch }: LoadOptions = {},
): Promise<{ readonly end: LogEnd; readonly found: readonly Found[] }> {
  const found: Found[] = wanted.map(({ from }) => ({ folded: from, head: from.version }));
  let end: LogEnd | undefined;
  let next = 0;
  /** Those of the window that aren't complete. */
  let open: readonly number[] = [];
  let room = LOAD_EVENTS_MAX;
  do {
    // Others get their turn between two answers of a store that doesn't wait for any.
    if (end) await core.runtime.turn();
    let asked: readonly number[];
    if (open.length > 0) asked = fitting(open, wanted, found, room);
    else {
      const from = next;
      next = Math.min(wanted.length, from + WINDOW);
      asked = Array.from({ length: next - from }, (_, index) => from + index);
    }
    const before = core.watermark.seen;
    const loaded = await io.load(
      asked.map((index) => {
        const { collection, id, upTo } = wanted[index]!;
        return { collection: collection.name, id, after: found[index]!.folded.version, upTo };
      }),
      { asOf: asOf ?? end?.position, forBatch },
    );
    await core.watermark.observe(before, loaded.end, io);
    end ??= loaded.end;
    const incomplete: number[] = [];
    const read = eventReader(core);
    let events = 0;
    for (const [n, document] of loaded.documents.entries()) {
      const index = asked[n]!;
      const { collection, id, from } = wanted[index]!;
      if (document.head < from.version) throw core.watermark.diverge(loaded.end);
      events += document.events.length;
      const more = foldEvents(read, collection, id, found[index]!.folded, document.events);
      found[index] = { ...more, head: document.head };
      if (more.error !== undefined || missing(wanted[index]!, found[index]!) <= 0) continue;
      if (document.events.length === 0 && n === 0) throw gap(collection.name, id, more.folded.version + 1);
      incomplete.push(index);
    }
    // Where events are large, few of them fill an answer.
    room = Math.min(LOAD_EVENTS_MAX, 2 * events);
    open = [...incomplete, ...open.slice(open.length > 0 ? asked.length : 0)];
  } while (open.length > 0 || next < wanted.length);
  return { end, found };
}

/** How many events of a document are still to come. */
function missing({ upTo = Infinity }: Wanted, { folded, head }: Found): number {
  return Math.min(head, upTo) - folded.version;
}

/** The first of those that aren't complete, as many as may come with one answer, and at least one. */
function fitting(
  open: readonly number[],
  wanted: readonly Wanted[],
  found: readonly Found[],
  room: number,
): readonly number[] {
  let events = 0;
  let count = 0;
  for (; count < open.length && events < room; count += 1) {
    const index = open[count]!;
    events += missing(wanted[index]!, found[index]!);
  }
  return open.slice(0, count);
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
