/**
 * Whether keys still find what they found: functions, of which the registry knows only that there are some, and any key in the
 * shape that an upcast gives an event. So stored events are attached again when an application is opened, a bounded number of
 * them. `verify` looks at all.
 */
import { DefinitionChanged, hasCode, InvalidDefinition } from '../errors.ts';
import type { AnyEvent } from '../model/event.ts';
import { thrown } from '../model/foreign.ts';
import { idFinder, keyFor, type IdFinder } from '../model/key.ts';
import type { Registry, StoredEvent } from '../store/store.ts';
import { PAGE_POSITIONS_MAX } from '../store/store.ts';
import type { Core } from './core.ts';
import { heldTypes } from './held-types.ts';
import { AS_STORED, eventFromStore } from './reading/recorded.ts';

/** Most events of a type that are attached again. */
const SAMPLE_EVENTS = 50;
/** How many positions before the end of the log are looked at. Older types are looked for where they began as well. */
const SAMPLE_POSITIONS = PAGE_POSITIONS_MAX;

/** How many positions are looked at where a type begins. */
const SAMPLE_FIRST_POSITIONS = 1_000;

type OpeningCore = Pick<Core, 'session' | 'logger' | 'events' | 'collections'>;

/** A key of this code for events of one type. */
interface Finder {
  readonly collection: string;
  readonly definition: number;
  /** Whether it is the user's. What a declared key finds in an event as it was stored can't have changed. */
  readonly isFunction: boolean;
  readonly find: IdFinder;
}

/** Event type → the keys that are compared. */
type Finders = ReadonlyMap<string, readonly Finder[]>;

/**
 * Attaches again the newest events of each type that a key function attaches or that has upcasts; where few are near the end of
 * the log, also the first ones, and those of a type with upcasts always: they are of the oldest versions.
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
    // Who opens a damaged log wants to look at it.
    application.logger.warn({ error: error.toJSON() }, 'Keys could not be compared with what is stored. Run verify.');
  }
}

/** Those that are registered alike under the same definition: what else differs, `register` says. */
function findersOf(registry: Registry, { collections, events }: OpeningCore): Finders {
  const found = registry.collections.flatMap((registered) => {
    const { name, definition, key } = registered;
    const code = collections.get(name);
    if (code?.definition !== definition) return [];
    return [...events.values()].flatMap(({ type, version }) => {
      const where = keyFor(key, type);
      const isFunction = where === 'function';
      const isCompared = isFunction || (where !== undefined && version > 1);
      if (!isCompared || JSON.stringify(where) !== JSON.stringify(keyFor(code.key.declared, type))) return [];
      const find = idFinder(name, code.key, type);
      return find ? [{ type, collection: name, definition, isFunction, find }] : [];
    });
  });
  return Map.groupBy(found, ({ type }) => type);
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
    // The first page says where the log ends, and looks no further itself.
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
    // What is rare is seldom near the end; and of what has upcasts, the oldest versions aren't.
    const isRare = left.has(type) && position <= lowest;
    const isOlder = !left.has(type) && events.get(type)!.version > 1;
    if (!isRare && !isOlder) continue;
    const limit = left.get(type) ?? SAMPLE_EVENTS;
    const range = { after: position - 1, before: position + SAMPLE_FIRST_POSITIONS };
    yield* (await session.read({ ...range, types: [type], limit })).events;
  }
}

function compare(finder: Finder, stored: StoredEvent, application: OpeningCore): void {
  const { collection, definition, isFunction } = finder;
  const { type, position, schemaVersion } = stored;
  if (!isFunction && schemaVersion === application.events.get(type)!.version) return;
  const was = stored.attachments.filter((one) => one.collection === collection).map(({ id }) => id);
  const event = readable(stored, application);
  if (!event) return;
  const now = found(finder, event);
  if (isSame(was, now, finder)) return;
  const details = { collection, type, position, stored: was, found: now };
  if (isSame(was, found(finder, eventFromStore(AS_STORED, stored, stored.commit.time)), finder)) {
    throw new InvalidDefinition(
      `The upcast of ${type} from version ${schemaVersion} changes its ids: the event at position ${position} was attached to ` +
        `${collection} ${idsText(was)}, and is found to concern ${idsText(now)} once it is upcast. An upcast must leave alone what keys look at.`,
      { ...details, schemaVersion },
    );
  }
  // A declared key is the registered one: what it didn't find then, somebody has changed, and `verify` says so.
  if (!isFunction) return;
  throw new DefinitionChanged(
    `The key function of the collection ${collection} for ${type} has changed: the event at position ${position} was attached ` +
      `to ${idsText(was)}, and the function finds ${idsText(now)} now. Documents would be looked for where their events aren't: ` +
      `go back to the function as it was, or raise definition to ${definition + 1} (its documents are made again then, which ` +
      "this version can't do yet: start a new log).",
    details,
  );
}

/** The event in its newest shape, which is what a key function takes; undefined if whoever reads it will be told why not. */
function readable(stored: StoredEvent, { events }: OpeningCore): AnyEvent | undefined {
  try {
    const event = eventFromStore(events, stored, stored.commit.time);
    // What an upcast drops is attached as it was.
    return event.type === stored.type ? event : undefined;
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
 * A function that throws was no reason to refuse the event when it was stored. An event that a declared key refuses is of an
 * older release, which attached it to nothing.
 */
function isSame(was: readonly string[], now: FoundIds, { isFunction }: Finder): boolean {
  if ('error' in now) return !isFunction && was.length === 0;
  const ids = new Set(was);
  return was.length === now.length && now.every((id) => ids.has(id));
}

/** Most ids that a message names. */
const NAMED_MAX = 5;

function idsText(ids: FoundIds): string {
  if ('error' in ids) return `nothing, but throws ${ids.error}`;
  if (ids.length === 0) return 'nothing';
  const more = ids.length - NAMED_MAX;
  return `${ids
    .slice(0, NAMED_MAX)
    .map((id) => JSON.stringify(id))
    .join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
