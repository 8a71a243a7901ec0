/** Reading events: the log, or what was attached to one document; up to the end, or on after it. */
import { InvalidInput } from '../errors.ts';
import type { AnyCollection } from '../model/collection.ts';
import { reading } from '../model/foreign.ts';
import { isAbortSignal } from '../realm.ts';
import type { Core } from './core.ts';
import { followed } from './follow.ts';
import { assertId, knownCollection } from './get.ts';
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
  options: EventsOptions = {},
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { types, reverse, limit: most, ...range } = reading('events', () => checkedEvents(options), InvalidInput);
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
  options: HistoryOptions = {},
  closing: AbortSignal,
): AsyncIterableIterator<RecordedEvent> {
  const { name } = knownCollection(core, collection);
  assertId(name, id);
  const range = reading('history', () => checkedHistory(options), InvalidInput);
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

// Each option is read once: a getter may answer otherwise the next time.
function checkedEvents(options: EventsOptions): EventsOptions {
  const numbers = checkedNumbers(options, ['after', 'before', 'limit']);
  const { types, reverse = false } = options;
  const range = { ...numbers, ...checkedFollow(options), reverse };
  if (range.follow && (reverse || numbers.before !== undefined)) {
    const path = reverse ? 'reverse' : 'before';
    throw new InvalidInput(`events: follow goes on after the end of the log, so it can’t be given with ${path}.`, {
      path,
    });
  }
  if (types === undefined) return range;
  const copy: unknown = Array.isArray(types) ? Array.from(types) : undefined;
  if (Array.isArray(copy) && copy.every((type) => typeof type === 'string')) return { ...range, types: copy };
  throw new InvalidInput('events: types must be an array of event types.', { path: 'types' });
}

function checkedHistory(options: HistoryOptions): HistoryOptions {
  return { ...checkedNumbers(options, ['after', 'limit']), ...checkedFollow(options) };
}

function checkedFollow({ follow = false, signal }: FollowOptions): FollowOptions {
  if (typeof follow !== 'boolean') {
    throw new InvalidInput('The option follow must be true or false.', { path: 'follow' });
  }
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw new InvalidInput('The option signal must be an AbortSignal.', { path: 'signal' });
  }
  return { follow, signal };
}

function checkedNumbers<Options extends object, Name extends keyof Options & string>(
  options: Options,
  names: readonly Name[],
): Partial<Record<Name, number>> {
  if (typeof options !== 'object' || options === null) throw new InvalidInput('The options must be an object.');
  const numbers: Partial<Record<Name, number>> = {};
  for (const name of names) {
    const value: unknown = options[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw new InvalidInput(`The option ${name} must be a whole number from 0.`, { path: name });
    }
    numbers[name] = value as number;
  }
  return numbers;
}
