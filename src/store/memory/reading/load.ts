/**
 * What a fold needs: heads and events of documents, all as of one point of the log.
 */
import { lowerBound, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { LOAD_EVENTS_MAX } from '../../store.ts';
import type { Loaded, LoadOptions, LoadRequest, LogEnd } from '../../store.ts';
import { findDocument, fitting, headAt, holds } from '../schema.ts';
import type { Log } from '../schema.ts';

export function load(log: Log, end: LogEnd, requests: readonly LoadRequest[], options: LoadOptions = {}): Loaded {
  const asOf = Math.min(upperBound(options.asOf), end.position);
  const room = new Room(LOAD_EVENTS_MAX);
  const documents = requests.map(({ collection, id, after, upTo }) => {
    const row = findDocument(log, collection, id);
    const head = headAt(row, asOf);
    return {
      document: head > 0 ? row!.number : undefined,
      head,
      events: fitting(row?.events ?? [], lowerBound(after), Math.min(head, upperBound(upTo)), room),
    };
  });
  return { end, holds: options.seen === undefined || holds(log, options.seen), documents };
}
