/**
 * What happens to the collections that code asks to register. Decided here, so that all stores check in the same order and
 * say the same.
 */
import { Buffer } from 'node:buffer';
import { DefinitionChanged, RebuildRequired } from '../errors.ts';
import type { DeclaredKey } from '../model/key.ts';
import type { CollectionEntry } from './store.ts';

/** What must be known of the log. */
export interface LogFacts {
  readonly isEmpty: boolean;
  /** The position of the first event of a type; undefined if the log has never held one. */
  readonly firstOf: (type: string) => number | undefined;
}

/** How a collection in code differs from the registered one with its name. */
export interface Difference {
  /** Registered event types that the code doesn't handle or doesn't have in its key map. */
  readonly gone: readonly string[];
  /** Event types that the code handles or has in its key map, but that aren't registered. */
  readonly added: readonly string[];
  /** Whether the keys differ for events that both know. */
  readonly otherKey: boolean;
}

/**
 * The entries to write, as they are stored: those that are new, and those with more types. In the order of the contract, each
 * compared with what the entries before it have changed. Only with the write lock held, or where nothing can come between.
 *
 * @throws RebuildRequired, DefinitionChanged
 */
export function grownBy(
  registry: readonly CollectionEntry[],
  given: readonly CollectionEntry[],
  log: LogFacts,
): readonly CollectionEntry[] {
  const entries = new Map(registry.map((entry) => [entry.name, entry]));
  const written = new Map<string, CollectionEntry>();
  for (const one of given) {
    const entry = stored(one);
    const known = entries.get(entry.name);
    if (known === undefined) {
      if (!log.isEmpty) throw isNew(entry);
    } else if (!hasGrown(known, entry, log)) continue;
    entries.set(entry.name, entry);
    written.set(entry.name, entry);
  }
  return [...written.values()];
}

export function differenceOf(registered: CollectionEntry, code: CollectionEntry): Difference {
  const [theirs, ours] = [typesOf(registered.key), typesOf(code.key)];
  const gone = new Set([...without(registered.handled, code.handled), ...without(theirs, ours)]);
  const added = new Set([...without(code.handled, registered.handled), ...without(ours, theirs)]);
  return { gone: [...gone], added: [...added], otherKey: differing(registered.key, code.key) !== undefined };
}

/** A copy by JSON: what is registered is what another process would read. */
function stored({ name, definition, key, handled }: CollectionEntry): CollectionEntry {
  const types = [...new Set(handled)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  return { name, definition, key: JSON.parse(JSON.stringify(key)) as DeclaredKey, handled: types };
}

/** Whether the entry has types that aren't registered, and may have them. */
function hasGrown(registered: CollectionEntry, code: CollectionEntry, log: LogFacts): boolean {
  if (registered.definition !== code.definition) throw otherDefinition(registered, code);
  const { gone, added, otherKey } = differenceOf(registered, code);
  if (otherKey) throw keyChanged(registered, code);
  if (gone.length > 0 && added.length > 0) throw typesChanged(registered, gone, added);
  const held = added.flatMap((type) => {
    const position = log.firstOf(type);
    return position === undefined ? [] : [{ type, position }];
  });
  if (held.length > 0) throw typesHeld(registered, added, held);
  return added.length > 0;
}

function typesOf(key: DeclaredKey): readonly string[] {
  return 'types' in key ? Object.keys(key.types) : [];
}

function without(types: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Set(others);
  return types.filter((type) => !left.has(type));
}

/** Where two keys differ in what both know; undefined if they don't. */
function differing(one: DeclaredKey, other: DeclaredKey): readonly [string, string] | undefined {
  if (!('types' in one && 'types' in other)) {
    const texts = [JSON.stringify(one), JSON.stringify(other)] as const;
    return texts[0] === texts[1] ? undefined : texts;
  }
  for (const type of Object.keys(one.types)) {
    if (!Object.hasOwn(other.types, type)) continue;
    const texts = [JSON.stringify(one.types[type]), JSON.stringify(other.types[type])] as const;
    if (texts[0] !== texts[1]) return [`${texts[0]} for ${type}`, texts[1]];
  }
  return undefined;
}

// --- Messages ----------------------------------------------------------------------------------------------------------

/** Most types that a message names. */
const NAMED_MAX = 10;

function isNew({ name }: CollectionEntry): RebuildRequired {
  return new RebuildRequired(
    `The collection ${name} is new, and the log already holds events. Its documents would have to be made, which ` +
      'this version can’t do yet: leave it out, or start a new log.',
    { collection: name },
  );
}

function otherDefinition({ name, definition }: CollectionEntry, code: CollectionEntry): RebuildRequired {
  return new RebuildRequired(
    `The collection ${name} is registered with definition ${definition}, and this code has definition ` +
      `${code.definition}. Its documents would have to be made again, which this version can’t do yet: go back to the ` +
      'registered definition, or start a new log.',
    { collection: name, registered: definition, definition: code.definition },
  );
}

function keyChanged(registered: CollectionEntry, code: CollectionEntry): DefinitionChanged {
  const { name, definition } = registered;
  const [was, is] = differing(registered.key, code.key)!;
  return new DefinitionChanged(
    `The collection ${name} is registered with another key: ${was.slice(0, 200)}, not ${is.slice(0, 200)}. Stored ` +
      `events are attached by the registered key: go back to it, or ${raise(definition)}.`,
    { collection: name, definition, key: registered.key },
  );
}

function typesChanged(
  { name, definition }: CollectionEntry,
  gone: readonly string[],
  added: readonly string[],
): DefinitionChanged {
  return new DefinitionChanged(
    `The collection ${name} is registered with the event types ${listed(gone)}, which this code doesn't have in it. And ` +
      `this code has ${listed(added)} in it, which isn't registered. Stored events keep their type. If a type was renamed, ` +
      `keep ${listed(gone)} in the domain, with its key and reducer, beside the new type. If another release has added ` +
      `it, use both together. Or ${raise(definition)}.`,
    { collection: name, definition, gone, added },
  );
}

function typesHeld(
  { name, definition }: CollectionEntry,
  added: readonly string[],
  held: readonly { readonly type: string; readonly position: number }[],
): DefinitionChanged {
  const types = held.map(({ type, position }) => `${type} (first at position ${position})`);
  return new DefinitionChanged(
    `The collection ${name} has event types that aren't registered, but the log already holds them: ${listed(types)}. ` +
      `Its documents were made without them. Leave them out of the collection, or ${raise(definition)}.`,
    { collection: name, definition, added, held },
  );
}

function raise(definition: number): string {
  return `raise definition to ${definition + 1} (then its documents are made again, which this version can't do yet: start a new log)`;
}

export function listed(types: readonly string[]): string {
  const more = types.length - NAMED_MAX;
  return `${types.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
