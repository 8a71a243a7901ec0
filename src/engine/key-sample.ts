/**
 * Whether keys still find what they found. Of a key function the registry knows only that there is one, and of an upcast
 * nothing: so events that they concern are attached again when an application is opened, a bounded number of them.
 * `verify` looks at all.
 */
import { DefinitionChanged, hasCode, InvalidDefinition } from '../errors.ts';
import type { AnyEvent, EventDefinition } from '../model/event.ts';
import { thrown } from '../model/foreign.ts';
import { functionTypes, idFinder, type IdFinder } from '../model/key.ts';
import type { Registry, StoredEvent } from '../store/store.ts';
import { PAGE_POSITIONS_MAX } from '../store/store.ts';
import type { Core } from './core.ts';
import { heldTypes } from './held-types.ts';
import { AS_STORED, eventFromStore } from './recorded.ts';

/** Most events of a type that are attached again. */
const SAMPLE_EVENTS = 50;
/** How many positions before the end of the log are looked at. Older types are looked for where they began as well. */
const SAMPLE_POSITIONS = PAGE_POSITIONS_MAX;

/** How many positions are looked at where a type begins. */
const SAMPLE_FIRST_POSITIONS = 1_000;

type Application = Pick<Core, 'session' | 'logger' | 'events' | 'collections'>;

/** How this code finds ids in events of one type, where that may have changed. */
interface Finder {
  readonly collection: string;
  readonly definition: number;
  readonly find: IdFinder;
}

/** Event type → what attaches its events. */
type Finders = ReadonlyMap<string, readonly Finder[]>;

/**
 * Attaches again the newest events of each type that a key function attaches, or that has upcasts; where few are near the
 * end of the log, and where there are upcasts, also the first ones.
 *
 * @throws DefinitionChanged if a function finds other ids than the event was attached to
 * @throws InvalidDefinition if it does so only in the shape that an upcast gives the event
 */
export async function assertSameKeys(registry: Registry, application: Application): Promise<void> {
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

/** Those that are registered under the same definition: what else differs, `register` says. */
function findersOf(registry: Registry, { collections, events }: Application): Finders {
  const upcast = [...events.values()].filter(hasUpcasts).map(({ type }) => type);
  const found = registry.collections.flatMap(({ name, definition, key }) => {
    const code = collections.get(name);
    if (code?.definition !== definition) return [];
    const functions = functionTypes(key).filter((type) => code.key.functions.has(type));
    return [...new Set([...functions, ...upcast])].flatMap((type) => {
      const find = idFinder(name, code.key, type);
      return find ? [{ type, collection: name, definition, find }] : [];
    });
  });
  return Map.groupBy(found, ({ type }) => type);
}

const hasUpcasts = ({ version }: EventDefinition): boolean => version > 1;

async function* sample({ session, events }: Application, finders: Finders): AsyncGenerator<StoredEvent> {
  const held = (await heldTypes(session)).filter(({ type }) => finders.has(type));
  if (held.length === 0) return;
  const left = new Map(held.map(({ type }) => [type, SAMPLE_EVENTS]));
  const take = function* (events: readonly StoredEvent[]): Generator<StoredEvent> {
    for (const stored of events) {
      const wanted = left.get(stored.type);
      if (wanted === undefined) continue;
      yield stored;
      if (wanted === 1) left.delete(stored.type);
      else left.set(stored.type, wanted - 1);
    }
  };
  let before: number | undefined;
  let lowest = 0;
  do {
    const types = [...left.keys()];
    const page = await session.read({ after: lowest, before, types, reverse: true, limit: SAMPLE_EVENTS });
    // The first page says where the log ends, and looks no further itself.
    if (before === undefined) lowest = Math.max(0, page.end.position - SAMPLE_POSITIONS);
    yield* take(page.events);
    before = page.next;
  } while (left.size > 0 && before !== undefined);
  for (const { type, position } of held) {
    // What is rare is seldom near the end, and what has an older shape may be hidden there by what hasn't.
    const definition = events.get(type);
    if (!(left.has(type) && position <= lowest) && !(definition && hasUpcasts(definition))) continue;
    const range = { after: position - 1, before: position + SAMPLE_FIRST_POSITIONS };
    yield* (await session.read({ ...range, types: [type], limit: SAMPLE_EVENTS })).events;
  }
}

function compare({ collection, definition, find }: Finder, stored: StoredEvent, application: Application): void {
  const { type, position, schemaVersion } = stored;
  const was = stored.attachments.filter((one) => one.collection === collection).map(({ id }) => id);
  const event = readable(stored, application);
  if (!event) return;
  const now = found(find, event);
  if (isSame(was, now)) return;
  const details = { collection, type, position, stored: was, found: now };
  if (isSame(was, found(find, eventFromStore(AS_STORED, stored, stored.commit.time)))) {
    throw new InvalidDefinition(
      `The upcast of ${type} from version ${schemaVersion} changes its ids: the event at position ${position} was attached to ` +
        `${collection} ${listed(was)}, and is found to concern ${listed(now)} once it is upcast. An upcast must leave alone what keys look at.`,
      { ...details, schemaVersion },
    );
  }
  throw new DefinitionChanged(
    `The key function of the collection ${collection} for ${type} has changed: the event at position ${position} was attached ` +
      `to ${listed(was)}, and the function finds ${listed(now)} now. Documents would be looked for where their events aren't: ` +
      `go back to the function as it was, or raise definition to ${definition + 1} (its documents are made again then, which ` +
      "this version can't do yet: start a new log).",
    details,
  );
}

/** The event in its newest shape, which is what a key function takes; undefined if whoever reads it will be told why not. */
function readable(stored: StoredEvent, { events }: Application): AnyEvent | undefined {
  try {
    const event = eventFromStore(events, stored, stored.commit.time);
    // What an upcast drops is attached as it was.
    return event.type === stored.type ? event : undefined;
  } catch (error) {
    if (hasCode(error, 'UpcastFailed', 'DomainOutdated')) return undefined;
    throw error;
  }
}

/** The ids that a function finds, or what it throws, which was no reason to refuse the event when it was stored. */
function found(find: IdFinder, event: AnyEvent): readonly string[] | { readonly error: string } {
  try {
    return find(event);
  } catch (error) {
    return { error: thrown(error) };
  }
}

function isSame(was: readonly string[], now: ReturnType<typeof found>): now is readonly string[] {
  if (!Array.isArray(now) || was.length !== now.length) return false;
  const ids = new Set(was);
  return now.every((id) => ids.has(id as string));
}

/** Most ids that a message names. */
const NAMED_MAX = 5;

function listed(ids: ReturnType<typeof found>): string {
  if ('error' in ids) return `nothing, but throws ${ids.error}`;
  if (ids.length === 0) return 'nothing';
  const more = ids.length - NAMED_MAX;
  return `${ids
    .slice(0, NAMED_MAX)
    .map((id) => JSON.stringify(id))
    .join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
