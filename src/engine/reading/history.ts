/** Reading events: the log, or what was attached to one document; up to the end, or on after it. */
import { InvalidInput } from '../../errors.ts';
import type { AnyCollection } from '../../model/collection.ts';
import { abortSignal, listOf, oneOf, optionsOf, whole, type Checks } from '../../options.ts';
import type { EventPage, LogPoint } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { followed } from './follow.ts';
import { assertedId, knownCollection } from './get.ts';
import { Halt } from '../halt.ts';
import { paged, type Cursor } from './pages.ts';
import { assertHeld, elsewhere, logPoint } from './point.ts';
import type { RecordedEvent } from './recorded.ts';
import { warnOfUnheard } from './unheard-types.ts';

/** How long a reader goes on. */
export interface FollowOptions {
  /**
   * Goes on after the end of the log: events come as they are committed, by whatever process, until the limit, the
   * signal, `break`, or the application is closed (`Closed`). While the store is away it waits, and misses nothing.
   *
   * Thousands may follow: the end of the log is read once for all of them. A slow one is given all the same, costs no memory,
   * and holds nobody up: what is no longer kept for it (the last 1,000 events, with 4 Mi characters of text) is read again.
   */
  readonly follow?: boolean | undefined;
  /** Ends it: the reason is thrown, as by `execute`. */
  readonly signal?: AbortSignal | undefined;
}

/** Which events of the log: positions between `after` and `before`, both exclusive. */
export interface EventsOptions extends FollowOptions {
  /**
   * A position that the log has reached; or a point: an event as it was given, or what `status()` said, of which `position`
   * and `hash` are looked at. A log that doesn't hold it is refused (`HistoryDiverged`) before anything of it is given. Keep
   * the hash: by a position alone a log that was put back isn't known again once it has grown past it.
   */
  readonly after?: number | LogPoint | undefined;
  /** Not with `follow`. */
  readonly before?: number | undefined;
  /**
   * Only these types. Not those of them that an upcast has dropped (`event`), or that were stored before they were declared.
   * One that neither this code nor the log knows is warned of: it is most likely misspelt.
   */
  readonly types?: readonly string[] | undefined;
  /** At most so many. */
  readonly limit?: number | undefined;
  /** The last first. Not with `follow`. */
  readonly reverse?: boolean | undefined;
}

/** Which events of a document. */
export interface HistoryOptions extends FollowOptions {
  /** Those after this version, which the document has reached; or after a point of the log, as for `events`. */
  readonly after?: number | LogPoint | undefined;
  readonly limit?: number | undefined;
}

/** The log's events, page by page. `closing` aborts when the application is closed. */
export function readEvents(
  core: Core,
  options: EventsOptions | undefined,
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { types, reverse, limit: most, ...range } = checkedEvents(options);
  const from = placeOf(range.after);
  let { position: after } = from;
  let { before } = range;
  const interest = { types: types && new Set(types) };
  const cursor: Cursor = {
    interest,
    read: (limit) => core.session.read({ after, before, types, reverse, limit }),
    wants: ({ type }) => interest.types === undefined || interest.types.has(type),
    begun: once(async ({ end }) => {
      await assertHeld(core.session, from, end.position);
      if (types !== undefined) await warnOfUnheard(core, types);
    }),
    pass: ({ next, end }) => {
      if (reverse) before = next;
      // All up to the end was looked at, and was of other types if it wasn't among the events.
      else after = next ?? end.position;
    },
    passEvent: ({ position }) => void (after = position),
  };
  return reader(core, cursor, { ...range, limit: most }, closing);
}

/** A document's events in the order of its versions. */
export function readHistory(
  core: Core,
  collection: AnyCollection,
  given: string,
  options: HistoryOptions | undefined,
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { name } = knownCollection(core, collection);
  const document = { collection: name, id: assertedId(name, given) };
  const range = optionsOf<HistoryOptions>('history', options, HISTORY, InvalidInput);
  const head = async (asOf?: number): Promise<number> =>
    (await core.session.load([{ ...document, after: 0, upTo: 0 }], { asOf })).documents[0]!.head;
  const from = range.after ?? 0;
  let after = typeof from === 'number' ? from : undefined;
  const cursor: Cursor = {
    interest: { document },
    async read(limit) {
      // Of a point it is the version that the document had there.
      after ??= await head(placeOf(from).position);
      return core.session.read({ document, after, limit });
    },
    wants: () => true,
    begun: once(async ({ end, events }) => {
      if (typeof from !== 'number') return assertHeld(core.session, from, end.position);
      if (from === 0 || events.length > 0) return undefined;
      const reached = await head();
      if (reached >= from) return undefined;
      const what = `has ${name} ${JSON.stringify(document.id)} at version ${reached}, and no version ${from} to go on from`;
      throw elsewhere(what, { ...document, after: from, head: reached });
    }),
    // Versions have no gaps.
    pass: ({ events }) => void (after! += events.length),
    passEvent: () => void (after! += 1),
  };
  return reader(core, cursor, range, closing);
}

function placeOf(after: number | LogPoint = 0): { readonly position: number; readonly hash?: string } {
  return typeof after === 'number' ? { position: after } : after;
}

/** Does it until it was done once. */
function once(work: (page: EventPage) => Promise<void>): (page: EventPage) => Promise<void> {
  let done = false;
  return async (page) => {
    if (!done) await work(page);
    done = true;
  };
}

function reader(
  core: Core,
  cursor: Cursor,
  { follow, signal, limit = Infinity }: FollowOptions & { limit?: number | undefined },
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  if (follow) return followed(core, cursor, limit, new Halt([signal, closing]));
  return paged(core, cursor, limit, new Halt([signal, closing]));
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
  after: (after, refuse) => (typeof after === 'number' ? whole(0)(after, refuse) : logPoint(after, refuse)),
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
