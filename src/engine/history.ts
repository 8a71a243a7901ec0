/** Reading events: the log, or what was attached to one document. */
import { InvalidInput } from '../errors.ts';
import type { AnyCollection } from '../model/collection.ts';
import { reading } from '../model/foreign.ts';
import type { EventPage } from '../store/store.ts';
import type { Core } from './core.ts';
import { assertId, knownCollection } from './get.ts';
import { recorded, type RecordedEvent } from './recorded.ts';

/** Events a page asks the store for. */
const PAGE = 500;

/** Which events of the log: positions between `after` and `before`, both exclusive. */
export interface EventsOptions {
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  /** Only these types. */
  readonly types?: readonly string[] | undefined;
  /** At most so many. */
  readonly limit?: number | undefined;
  /** The last first. */
  readonly reverse?: boolean | undefined;
}

/** Which events of a document. */
export interface HistoryOptions {
  /** Those after this version. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

/** The log's events, page by page, up to its end at the time of each page. */
export function readEvents(core: Core, options: EventsOptions = {}): AsyncIterableIterator<RecordedEvent> {
  const { types, reverse, limit: most, ...range } = reading('events', () => checkedEvents(options), InvalidInput);
  let { after, before } = range;
  return paged(core, most, async (limit) => {
    const page = await core.session.read({ after, before, types, reverse, limit });
    if (reverse) before = page.next;
    else after = page.next;
    return page;
  });
}

/** A document's events in the order of its versions. */
export function readHistory(
  core: Core,
  collection: AnyCollection,
  id: string,
  options: HistoryOptions = {},
): AsyncIterableIterator<RecordedEvent> {
  const { name } = knownCollection(core, collection);
  assertId(name, id);
  const range = reading('history', () => checkedNumbers(options, ['after', 'limit']), InvalidInput);
  let { after = 0 } = range;
  return paged(core, range.limit, async (limit) => {
    const page = await core.session.read({ document: { collection: name, id }, after, limit });
    after = page.next ?? after;
    return page;
  });
}

async function* paged(
  core: Core,
  limit = Infinity,
  next: (limit: number) => Promise<EventPage>,
): AsyncIterableIterator<RecordedEvent> {
  let left = limit;
  while (left > 0) {
    core.watermark.assertWhole();
    const before = core.watermark.seen;
    const page = await next(Math.min(PAGE, left));
    await core.watermark.observe(before, page.end, core.session);
    left -= page.events.length;
    for (const stored of page.events) yield recorded(core.events, stored);
    if (page.next === undefined) return;
  }
}

// Each option is read once: a getter may answer otherwise the next time.
function checkedEvents(options: EventsOptions): EventsOptions {
  const numbers = checkedNumbers(options, ['after', 'before', 'limit']);
  const { types, reverse = false } = options;
  if (types === undefined) return { ...numbers, reverse };
  const copy: unknown = Array.isArray(types) ? Array.from(types) : undefined;
  if (Array.isArray(copy) && copy.every((type) => typeof type === 'string'))
    return { ...numbers, reverse, types: copy };
  throw new InvalidInput('events: types must be an array of event types.', { path: 'types' });
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
