/** Reading events: the log, or what was attached to one document; up to the end, or on after it. */
import { InvalidInput } from '../errors.ts';
import type { AnyCollection } from '../model/collection.ts';
import { abortSignal, listOf, oneOf, optionsOf, whole, type Checks } from '../limits.ts';
import type { Core } from './core.ts';
import { followed } from './follow.ts';
import { assertedId, knownCollection } from './get.ts';
import { Halt } from './halt.ts';
import { paged, type Cursor } from './pages.ts';
import type { RecordedEvent } from './recorded.ts';

/** How long a reader goes on. */
export interface FollowOptions {
  /**
   * Goes on after the end of the log: events come as they are committed, by whatever process, until the limit, the
   * signal, `break`, or the application is closed (`Closed`). While the store is away it waits, and misses nothing.
   */
  readonly follow?: boolean | undefined;
  /** Ends it: the reason is thrown, as by `execute`. */
  readonly signal?: AbortSignal | undefined;
}

/** Which events of the log: positions between `after` and `before`, both exclusive. */
export interface EventsOptions extends FollowOptions {
  readonly after?: number | undefined;
  /** Not with `follow`. */
  readonly before?: number | undefined;
  /** Only these types. */
  readonly types?: readonly string[] | undefined;
  /** At most so many. */
  readonly limit?: number | undefined;
  /** The last first. Not with `follow`. */
  readonly reverse?: boolean | undefined;
}

/** Which events of a document. */
export interface HistoryOptions extends FollowOptions {
  /** Those after this version. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

/** The log's events, page by page. `closing` aborts when the application is closed. */
export function readEvents(
  core: Core,
  options: EventsOptions | undefined,
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { types, reverse, limit: most, ...range } = checkedEvents(options);
  let { after = 0, before } = range;
  const cursor: Cursor = {
    read: (limit) => core.session.read({ after, before, types, reverse, limit }),
    pass: ({ next, end }) => {
      if (reverse) before = next;
      // All up to the end was looked at, and was of other types if it wasn't among the events.
      else after = next ?? Math.max(after, end.position);
    },
  };
  return reader(core, cursor, { ...range, limit: most }, closing);
}

/** A document's events in the order of its versions. */
export function readHistory(
  core: Core,
  collection: AnyCollection,
  id: string,
  options: HistoryOptions | undefined,
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { name } = knownCollection(core, collection);
  assertedId(name, id);
  const range = optionsOf<HistoryOptions>('history', options, HISTORY, InvalidInput);
  let { after = 0 } = range;
  const cursor: Cursor = {
    read: (limit) => core.session.read({ document: { collection: name, id }, after, limit }),
    // Versions have no gaps.
    pass: ({ events }) => void (after += events.length),
  };
  return reader(core, cursor, range, closing);
}

function reader(
  core: Core,
  cursor: Cursor,
  { follow, signal, limit = Infinity }: FollowOptions & { limit?: number | undefined },
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  if (follow) return followed(core, cursor, limit, new Halt([signal, closing]));
  return paged(core, cursor, limit, new Halt([signal]));
}

function checkedEvents(given: EventsOptions | undefined): EventsOptions {
  const options = optionsOf<EventsOptions>('events', given, EVENTS, InvalidInput);
  if (options.follow && (options.reverse || options.before !== undefined)) {
    const path = options.reverse ? 'reverse' : 'before';
    throw new InvalidInput(`events: follow goes on after the end of the log, so it can’t be given with ${path}.`, {
      path,
    });
  }
  return options;
}

const HISTORY: Checks<HistoryOptions> = {
  after: whole(0),
  limit: whole(0),
  follow: oneOf([true, false]),
  signal: abortSignal,
};

const EVENTS: Checks<EventsOptions> = {
  ...HISTORY,
  before: whole(0),
  types: listOf((type, refuse) => (typeof type === 'string' ? type : refuse('must hold the names of event types'))),
  reverse: oneOf([true, false]),
};
