/**
 * Whether keys still find the same ids: key functions, whose code the registry doesn't hold, and any key in events that are
 * upcast. So `open` attaches a bounded number of stored events again. `verify` looks at all.
 */
import { DefinitionChanged, hasCode, InvalidDefinition } from '../../errors.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { AnyEvent } from '../../model/event.ts';
import { thrown } from '../../model/foreign.ts';
import { idFinder, type IdFinder } from '../../model/find-ids.ts';
import { keyFor } from '../../model/key.ts';
import type { Keying, Registry, StoredEvent } from '../../store/store.ts';
import { PAGE_POSITIONS_MAX } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { heldTypes } from '../held-types.ts';
import { AS_STORED, eventFromStore } from '../reading/recorded.ts';
import { nextDefinition, raise, type NextDefinition } from '../registry/difference.ts';

/** The most events of a type that are attached again. */
const SAMPLE_EVENTS = 50;
/** How many positions before the end of the log are looked at. */
const SAMPLE_POSITIONS = PAGE_POSITIONS_MAX;

/** How many positions are looked at from a type's first event on. */
const SAMPLE_FIRST_POSITIONS = 1_000;

type OpeningCore = Pick<Core, 'session' | 'logger' | 'events' | 'collections'>;

/** A key of this code for events of one type, as it is stored. */
interface Finder {
  /** What the log calls it. */
  readonly keying: string;
  readonly collection: string;
  readonly next: NextDefinition;
  /** Whether it is a function. What a declared key finds in an event as stored can't have changed. */
  readonly isFunction: boolean;
  readonly find: IdFinder;
}

/** By event type, the keys to compare. */
type Finders = ReadonlyMap<string, readonly Finder[]>;

/**
 * Attaches again the newest events of each type with a key function or upcasts. If few are near the end of the log, also the
 * first ones; with upcasts always, as those have the oldest versions.
 *
 * @throws DefinitionChanged if a function finds other ids than the event was attached to
 * @throws InvalidDefinition if a key does so only in the shape that an upcast gives the event
 */
export async function assertSameKeys(registry: Registry, application: OpeningCore): Promise<void> {
  const finders = findersOf(registry, application);
  if (finders.size === 0) return;
  try {
    for await (const stored of sample(application, finders)) {
      for (const one of finders.get(stored.type)!) compare(one, stored, application);
    }
  } catch (error) {
    if (!hasCode(error, 'LogCorrupt')) throw error;
    // A damaged log can be opened to look at it.
    application.logger.warn({ error: error.toJSON() }, 'Keys could not be compared with what is stored. Run verify.');
  }
}

/** Keyings of this code's own definitions, where the keys are alike: `registering` reports other differences. */
function findersOf(registry: Registry, { collections, events }: OpeningCore): Finders {
  const found = registry.keyings.flatMap((keying) => {
    const code = collections.get(keying.collection);
    if (keying.state !== 'live' || !code || !isUsedBy(registry, keying, code)) return [];
    return [...new Set(events.values())].flatMap(({ stored: type, version }) => {
      const where = keyFor(keying.key, type);
      const isFunction = where === 'function';
      const isCompared = isFunction || (where !== undefined && version > 1);
      if (!isCompared || JSON.stringify(where) !== JSON.stringify(keyFor(code.key.declared, type))) return [];
      const find = idFinder(code.name, code.key, type);
      const { name: collection } = code;
      const next = nextDefinition(registry, collection);
      return find ? [{ type, keying: keying.name, collection, next, isFunction, find }] : [];
    });
  });
  return Map.groupBy(found, ({ type }) => type);
}

function isUsedBy({ definitions }: Registry, { name }: Keying, code: CollectionDefinition): boolean {
  return definitions.some((one) => {
    return one.keying === name && one.collection === code.name && one.definition === code.definition;
  });
}

async function* sample({ session, events }: OpeningCore, finders: Finders): AsyncGenerator<StoredEvent> {
  const firsts = (await heldTypes(session)).filter(({ type }) => finders.has(type));
  if (firsts.length === 0) return;
  const left = new Map(firsts.map(({ type }) => [type, SAMPLE_EVENTS]));
  let before: number | undefined;
  let lowest = 0;
  do {
    const types = [...left.keys()];
    const page = await session.read({ after: lowest, before, types, reverse: true, limit: SAMPLE_EVENTS });
    // The first page only says where the log ends.
    if (before === undefined) lowest = Math.max(0, page.end.position - SAMPLE_POSITIONS);
    for (const stored of page.events) {
      const wanted = left.get(stored.type);
      if (wanted === undefined) continue;
      yield stored;
      if (wanted > 1) left.set(stored.type, wanted - 1);
      else left.delete(stored.type);
    }
    before = page.next;
  } while (left.size > 0 && before !== undefined);
  for (const { type, position } of firsts) {
    // Rare types are seldom near the end, nor are the oldest versions.
    const isRare = left.has(type) && position <= lowest;
    const isOlder = !left.has(type) && events.get(type)!.version > 1;
    if (!isRare && !isOlder) continue;
    const limit = left.get(type) ?? SAMPLE_EVENTS;
    const range = { after: position - 1, before: position + SAMPLE_FIRST_POSITIONS };
    yield* (await session.read({ ...range, types: [type], limit })).events;
  }
}

function compare(finder: Finder, stored: StoredEvent, application: OpeningCore): void {
  const { keying, collection, next, isFunction } = finder;
  const { type, position, schemaVersion } = stored;
  if (!isFunction && schemaVersion === application.events.get(type)!.version) return;
  const was = stored.attachments.filter((one) => one.collection === keying).map(({ id }) => id);
  const event = readable(stored, application);
  if (!event) return;
  const now = found(finder, event);
  if (isSame(was, now, finder)) return;
  const details = { collection, type, position, stored: was, found: now };
  if (isSame(was, found(finder, eventFromStore(AS_STORED, stored, stored.commit.time)), finder)) {
    throw new InvalidDefinition(
      `The upcast of ${type} from version ${schemaVersion} changes its ids: the event at position ${position} was attached to ` +
        `${collection} ${idsText(was)}, but after the upcast the key finds ${idsText(now)}. An upcast must not change ids.`,
      { ...details, schemaVersion },
    );
  }
  // A declared key is the registered one: then the log was changed, and `verify` says so.
  if (!isFunction) return;
  throw new DefinitionChanged(
    `The key function of the collection ${collection} for ${type} has changed: the event at position ${position} was attached ` +
      `to ${idsText(was)}, but the function now finds ${idsText(now)}. Documents would miss their events: go back to the old ` +
      `function, or ${raise(next)}.`,
    details,
  );
}

/** The event in its newest shape, as a key function takes it; undefined if it can't be read, which its readers are told. */
function readable(stored: StoredEvent, { events }: OpeningCore): AnyEvent | undefined {
  try {
    const event = eventFromStore(events, stored, stored.commit.time);
    // A dropped event is attached as it was.
    return event.type === events.get(stored.type)!.type ? event : undefined;
  } catch (error) {
    if (hasCode(error, 'UpcastFailed', 'DomainOutdated')) return undefined;
    throw error;
  }
}

/** The ids that a key finds, or what it throws. */
type FoundIds = readonly string[] | { readonly error: string };

function found({ find }: Finder, event: AnyEvent): FoundIds {
  try {
    return find(event);
  } catch (error) {
    return { error: thrown(error) };
  }
}

/**
 * A function that throws wasn't in use when the event was stored. An event that a declared key refuses is of an older release,
 * which attached it to nothing.
 */
function isSame(was: readonly string[], now: FoundIds, { isFunction }: Finder): boolean {
  if ('error' in now) return !isFunction && was.length === 0;
  const ids = new Set(was);
  return was.length === now.length && now.every((id) => ids.has(id));
}

/** The most ids that a message names. */
const NAMED_MAX = 5;

function idsText(ids: FoundIds): string {
  if ('error' in ids) return `nothing, but throws ${ids.error}`;
  if (ids.length === 0) return 'nothing';
  const shown = ids.slice(0, NAMED_MAX).map((id) => JSON.stringify(id));
  return shown.join(', ') + (ids.length > NAMED_MAX ? ` and ${ids.length - NAMED_MAX} more` : '');
}
