/** Reading events: the log, or the history of one document; up to the end, or on after it. */
import { InvalidInput } from '../../errors.ts';
import type { AnyCollection } from '../../model/collection.ts';
import { documentId } from '../../model/document-id.ts';
import { storedName } from '../../model/event.ts';
import { reading } from '../../model/foreign.ts';
import { abortSignal, listOf, oneOf, optionsOf, whole, type Checks } from '../../options.ts';
import type { EventPage, LogPoint } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { followed } from './follow.ts';
import { knownCollection } from './get.ts';
import { Halt } from '../halt.ts';
import { asRegistered } from '../registry/refresh.ts';
import { paged, type Cursor } from './pages.ts';
import { assertHeld, elsewhere, logPoint } from './point.ts';
import type { RecordedEvent } from './recorded.ts';
import { warnOfUnheard } from './unheard-types.ts';

/** How long reading goes on. */
export interface FollowOptions {
  /**
   * Goes on after the end of the log: events come as they are committed, by whatever process, until the limit, the signal,
   * `break`, or the application is closed (`Closed`). While the store can't be reached it waits, and misses nothing.
   *
   * Thousands may follow: the end of the log is read once for all of them. A slow follower costs no memory and delays nothing:
   * events no longer kept for it (the last 1,000 are, with 4 Mi characters of text) are read again.
   */
  readonly follow?: boolean | undefined;
  /** Ends it: the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Which events of the log: positions between `after` and `before`, both exclusive. */
export interface EventsOptions extends FollowOptions {
  /**
   * A position that the log has reached; or a point: an event, or the result of `status()`, of which `position` and `hash` are
   * used. A log that doesn't hold the point is refused (`HistoryDiverged`) before any event is given. Keep the hash: by a
   * position alone a log that was put back isn't recognized once it has grown past it.
   */
  readonly after?: number | LogPoint | undefined;
  /** Not with `follow`. */
  readonly before?: number | undefined;
  /**
   * Only these types, without events that an upcast has dropped or that were stored before their type was declared. A type that
   * neither this code nor the log knows causes a warning: it is most likely misspelt.
   */
  readonly types?: readonly string[] | undefined;
  /** The most events. */
  readonly limit?: number | undefined;
  /** From the last to the first. Not with `follow`. */
  readonly reverse?: boolean | undefined;
}

/** Which events of a document. */
export interface HistoryOptions extends FollowOptions {
  /** After this version, which the document has reached; or after a point of the log, as for `events`. */
  readonly after?: number | LogPoint | undefined;
  readonly limit?: number | undefined;
}

export function readEvents(core: Core, options: EventsOptions | undefined): AsyncIterableIterator<RecordedEvent> {
  const { types, reverse, limit: most, ...range } = checkedEvents(options);
  const from = placeOf(range.after);
  let { position: after } = from;
  let { before } = range;
  // The store speaks the names under which types are stored, and the caller those of the code.
  const asked = types && new Set(types);
  const stored = types?.map((type) => storedName(core.domain, type));
  const interest = { types: stored && new Set(stored) };
  const cursor: Cursor = {
    interest,
    read: (limit) => core.session.read({ after, before, types: stored, reverse, limit }),
    wants: ({ type }) => asked === undefined || asked.has(type),
    begun: once(async ({ end }) => {
      await assertHeld(core.session, from, end.position);
      if (types !== undefined) await warnOfUnheard(core, types);
    }),
    pass: ({ next, end }) => {
      if (reverse) before = next;
      // All events up to the end were looked at.
      else after = next ?? end.position;
    },
    passEvent: ({ position }) => void (after = position),
  };
  return reader(core, cursor, { ...range, limit: most });
}

export function readHistory(
  core: Core,
  collection: AnyCollection,
  given: unknown,
  options: HistoryOptions | undefined,
): AsyncIterableIterator<RecordedEvent> {
  const definition = knownCollection(core, collection);
  const { name } = definition;
  const document = { collection: name, id: reading('history', () => documentId(definition, given), InvalidInput) };
  const range = optionsOf<HistoryOptions>('history', options, HISTORY, InvalidInput);
  const head = async (asOf?: number): Promise<number> => {
    const load = () => core.session.load([{ ...document, after: 0, upTo: 0 }], { asOf });
    return (await asRegistered(core, core.session, load)).documents[0]!.head;
  };
  const from = range.after ?? 0;
  let after = typeof from === 'number' ? from : undefined;
  const cursor: Cursor = {
    interest: { document },
    read: (limit) =>
      asRegistered(core, core.session, async () => {
        if (core.readiness.unready(name)) await core.readiness.ready(name, core.closing.signal);
        // For a point, the version that the document had there.
        after ??= await head(placeOf(from).position);
        return core.session.read({ document, after, limit });
      }),
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
  return reader(core, cursor, range);
}

function placeOf(after: number | LogPoint = 0): { readonly position: number; readonly hash?: string } {
  return typeof after === 'number' ? { position: after } : after;
}

/** Does it until it has succeeded once. */
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
): AsyncIterableIterator<RecordedEvent> {
  return (follow ? followed : paged)(core, cursor, limit, new Halt([signal, core.closing.signal]));
}

function checkedEvents(given: EventsOptions | undefined): EventsOptions {
  const options = optionsOf<EventsOptions>('events', given, EVENTS, InvalidInput);
  if (options.follow && (options.reverse || options.before !== undefined)) {
    const path = options.reverse ? 'reverse' : 'before';
    const message = `events: follow goes on after the end of the log, so it can’t be given with ${path}.`;
    throw new InvalidInput(message, { path });
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
