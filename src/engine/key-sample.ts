/**
 * Whether key functions still find what they found. The registry knows only that there is one: so events that it attached
 * are attached again when an application is opened, a bounded number of them. `verify` looks at all.
 */
import { DefinitionChanged, hasCode, InvalidDefinition } from '../errors.ts';
import type { CollectionDefinition } from '../model/collection.ts';
import type { AnyEvent } from '../model/event.ts';
import { thrown } from '../model/foreign.ts';
import { functionTypes, idFinder, type IdFinder } from '../model/key.ts';
import type { Registry, Session, StoredEvent } from '../store/store.ts';
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

/** A key function of this code for events of one type. */
interface KeyFunction {
  readonly collection: string;
  readonly definition: number;
  readonly find: IdFinder;
}

/** Event type → the functions that attach its events. */
type KeyFunctions = ReadonlyMap<string, readonly KeyFunction[]>;

/**
 * Attaches again the newest events of each type that a key function attaches; where few are near the end of the log, also
 * the first ones.
 *
 * @throws DefinitionChanged if a function finds other ids than the event was attached to
 * @throws InvalidDefinition if it does so only in the shape that an upcast gives the event
 */
export async function assertSameKeys(registry: Registry, application: Application): Promise<void> {
  const functions = functionsOf(registry, application.collections);
  if (functions.size === 0) return;
  try {
    for await (const stored of sample(application.session, functions)) {
      for (const one of functions.get(stored.type)!) compare(one, stored, application);
    }
  } catch (error) {
    if (!hasCode(error, 'LogCorrupt')) throw error;
    // Who opens a damaged log wants to look at it.
    application.logger.warn(
      { error: error.toJSON() },
      'Key functions could not be compared with what is stored. Run verify.',
    );
  }
}

/** Those that are registered as functions under the same definition: what else differs, `register` says. */
function functionsOf(registry: Registry, collections: ReadonlyMap<string, CollectionDefinition>): KeyFunctions {
  const found = registry.collections.flatMap(({ name, definition, key }) => {
    const code = collections.get(name);
    if (code?.definition !== definition) return [];
    return functionTypes(key).flatMap((type) => {
      const find = code.key.functions.has(type) ? idFinder(name, code.key, type) : undefined;
      return find ? [{ type, collection: name, definition, find }] : [];
    });
  });
  return Map.groupBy(found, ({ type }) => type);
}

async function* sample(session: Session, functions: KeyFunctions): AsyncGenerator<StoredEvent> {
  const left = new Map<string, { readonly first: number; events: number }>();
  for (const { type, position } of await heldTypes(session)) {
    if (functions.has(type)) left.set(type, { first: position, events: SAMPLE_EVENTS });
  }
  if (left.size === 0) return;
  const take = function* (events: readonly StoredEvent[]): Generator<StoredEvent> {
    for (const stored of events) {
      const wanted = left.get(stored.type);
      if (!wanted) continue;
      yield stored;
      wanted.events -= 1;
      if (wanted.events === 0) left.delete(stored.type);
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
  // What is rare is seldom near the end.
  for (const [type, { first, events: limit }] of left) {
    if (first > lowest) continue;
    yield* take(
      (await session.read({ after: first - 1, before: first + SAMPLE_FIRST_POSITIONS, types: [type], limit })).events,
    );
  }
}

function compare({ collection, definition, find }: KeyFunction, stored: StoredEvent, application: Application): void {
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
