/** Heads and events of documents, all as of one point of the log. */
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { LOAD_EVENTS_MAX } from '../../store.ts';
import type { Loaded, LoadedDocument, LoadOptions, LoadRequest, LogEnd } from '../../store.ts';
import { findDocument, fitting, headAt, holds, type Log } from '../schema.ts';

export class Loader {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  load(end: LogEnd, requests: readonly LoadRequest[], { asOf, seen }: LoadOptions = {}): Loaded {
    const position = Math.min(upperBound(asOf), end.position);
    const room = new Room(LOAD_EVENTS_MAX);
    const documents = requests.map((request) => this.#document(request, position, room));
    return { end, holds: seen === undefined || holds(this.#log, seen), documents };
  }

  #document({ collection, id, after, upTo }: LoadRequest, asOf: number, room: Room): LoadedDocument {
    const row = findDocument(this.#log, collection, id);
    const head = headAt(row, asOf);
    return {
      document: head > 0 ? row!.number : undefined,
      head,
      events: fitting(row?.events ?? [], lowerBound(after), Math.min(head, upperBound(upTo)), room),
    };
  }
}
