/** Heads and events of documents, all as of one point of the log. */
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { LOAD_EVENTS_MAX } from '../../store.ts';
import type { Loaded, LoadedDocument, LoadOptions, LoadRequest, LogEnd } from '../../store.ts';
import { findDocument, fitting, headAt, holds, type Log } from '../schema.ts';
import type { Sets } from '../writing/sets.ts';

export class Loader {
  readonly #log: Log;
  readonly #sets: Sets;

  constructor(log: Log, sets: Sets) {
    this.#log = log;
    this.#sets = sets;
  }

  load(end: LogEnd, requests: readonly LoadRequest[], { asOf, seen }: LoadOptions = {}): Loaded {
    const position = Math.min(upperBound(asOf), end.position);
    const room = new Room(LOAD_EVENTS_MAX);
    const documents = requests.map((request) => this.#document(request, position, room));
    const { generation } = this.#log.registry;
    return { end, holds: seen === undefined || holds(this.#log, seen), generation, documents };
  }

  #document({ collection, id, after, upTo, set }: LoadRequest, asOf: number, room: Room): LoadedDocument {
    const row = findDocument(this.#log, collection, id);
    const head = headAt(row, asOf);
    const document = head > 0 ? row!.number : undefined;
    const [from, last] = [lowerBound(after), Math.min(head, upperBound(upTo))];
    const stored = set === undefined || from >= last ? undefined : this.#sets.find(set, id);
    const isUseful = stored !== undefined && stored.version > from && stored.version <= last;
    if (isUseful && !room.take(stored.state)) return { document, head, events: [] };
    const events = fitting(row?.events ?? [], isUseful ? stored.version : from, last, room);
    return { document, head, ...(isUseful && { stored }), events };
  }
}
