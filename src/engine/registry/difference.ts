/** How a collection in code differs from what is registered, and what to say of it. */
import { DefinitionChanged } from '../../errors.ts';
import type { DeclaredKey } from '../../model/key.ts';
import type { LogFacts } from '../../store/store.ts';

/** What is compared: of the code, or of the registry. */
interface Compared {
  readonly key: DeclaredKey;
  readonly handled: readonly string[];
}

interface Named extends Compared {
  readonly name: string;
  readonly definition: number;
  /** The highest number that is registered for the collection. */
  readonly highest: number;
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

export function differenceOf(registered: Compared, code: Compared): Difference {
  const [theirs, ours] = [typesOf(registered.key), typesOf(code.key)];
  const gone = new Set([...without(registered.handled, code.handled), ...without(theirs, ours)]);
  const added = new Set([...without(code.handled, registered.handled), ...without(ours, theirs)]);
  return { gone: [...gone], added: [...added], otherKey: differing(registered.key, code.key) !== undefined };
}

/** Whether the log may hold events that this key attaches. Any type may have a field, failures included. */
export function needsFilling(key: DeclaredKey, log: LogFacts): boolean {
  if (log.isEmpty) return false;
  return !('types' in key) || typesOf(key).some((type) => log.firstOf(type) !== undefined);
}

export function typesOf(key: DeclaredKey): readonly string[] {
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

export function keyChanged(registered: Named, code: Compared): DefinitionChanged {
  const { name, definition, highest } = registered;
  const [was, is] = differing(registered.key, code.key)!;
  return new DefinitionChanged(
    `The collection ${name} is registered with another key: ${was.slice(0, 200)}, not ${is.slice(0, 200)}. Stored ` +
      `events are attached by the registered key: go back to it, or ${raise(highest)}.`,
    { collection: name, definition, key: registered.key },
  );
}

/** Two definitions share a keying, and one has added types to it whose ids its function finds. */
export function functionTaken(
  { name, definition, highest }: Named,
  types: readonly string[],
  caller: number,
): DefinitionChanged {
  return new DefinitionChanged(
    `The collection ${name} is registered with a key function for ${listed(types)} of definition ${caller}, which ids are found ` +
      `by: that of definition ${definition} can't take its place. Use that definition, or ${raise(highest)}.`,
    { collection: name, definition, types, caller },
  );
}

export function typesChanged(
  { name, definition, highest }: Named,
  gone: readonly string[],
  added: readonly string[],
): DefinitionChanged {
  return new DefinitionChanged(
    `The collection ${name} is registered with the event types ${listed(gone)}, which this code doesn't have in it. And ` +
      `this code has ${listed(added)} in it, which isn't registered. Stored events keep their type. If a type was renamed, ` +
      `write event(schema, { formerly: ['${gone[0]}'] }) for the new one, or keep both in the domain, with key and reducer. ` +
      `If another release has added it, use both together. Or ${raise(highest)}.`,
    { collection: name, definition, gone, added },
  );
}

export function typesHeld(
  { name, definition, highest }: Named,
  added: readonly string[],
  held: readonly { readonly type: string; readonly position: number }[],
): DefinitionChanged {
  const types = held.map(({ type, position }) => `${type} (first at position ${position})`);
  return new DefinitionChanged(
    `The collection ${name} has event types that aren't registered, but the log already holds them: ${listed(types)}. ` +
      `Its documents were made without them. Leave them out of the collection, or ${raise(highest)}.`,
    { collection: name, definition, added, held },
  );
}

function raise(highest: number): string {
  return `raise definition to ${highest + 1}: then its documents are made again`;
}

export function listed(types: readonly string[]): string {
  const more = types.length - NAMED_MAX;
  return `${types.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
