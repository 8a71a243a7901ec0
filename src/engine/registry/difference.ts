/** How a collection in code differs from what is registered, and what to say of it. */
import { DefinitionChanged } from '../../errors.ts';
import { functionTypes, type DeclaredKey } from '../../model/key.ts';
import type { LogFacts, Registry } from '../../store/store.ts';

/** What is compared: of the code, or of the registry. */
interface Compared {
  readonly key: DeclaredKey;
  readonly handled: readonly string[];
}

interface Named extends Compared {
  readonly name: string;
  readonly definition: number;
  readonly next: NextDefinition;
}

/** What a collection that changes takes. */
export interface NextDefinition {
  readonly collection: string;
  /** Above all that are registered. */
  readonly number: number;
  /** The registered ones whose ids only a function finds, which the next one won't have: they must be let go. */
  readonly gone: readonly number[];
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
  const { name, definition, next } = registered;
  const [was, is] = differing(registered.key, code.key)!;
  return new DefinitionChanged(
    `The collection ${name} is registered with another key: ${was.slice(0, 200)}, not ${is.slice(0, 200)}. Stored ` +
      `events are attached by the registered key: go back to it, or ${raise(next)}.`,
    { collection: name, definition, key: registered.key },
  );
}

/** Two definitions share a keying, and one has added types to it whose ids its function finds. */
export function functionTaken(
  { name, definition, next }: Named,
  types: readonly string[],
  caller: number,
): DefinitionChanged {
  return new DefinitionChanged(
    `The collection ${name} is registered with a key function for ${listed(types)} of definition ${caller}, which ids are found ` +
      `by: that of definition ${definition} can't take its place. Use that definition, or ${raise(next)}.`,
    { collection: name, definition, types, caller },
  );
}

export function typesChanged(
  { name, definition, next }: Named,
  gone: readonly string[],
  added: readonly string[],
): DefinitionChanged {
  return new DefinitionChanged(
    `The collection ${name} is registered with the event types ${listed(gone)}, which this code doesn't have in it. And ` +
      `this code has ${listed(added)} in it, which isn't registered. Stored events keep their type. If a type was renamed, ` +
      `write event(schema, { formerly: ['${gone[0]}'] }) for the new one, or keep both in the domain, with key and reducer. ` +
      `If another release has added it, use both together. Or ${raise(next)}.`,
    { collection: name, definition, gone, added },
  );
}

export function typesHeld(
  { name, definition, next }: Named,
  added: readonly string[],
  held: readonly { readonly type: string; readonly position: number }[],
): DefinitionChanged {
  const types = held.map(({ type, position }) => `${type} (first at position ${position})`);
  return new DefinitionChanged(
    `The collection ${name} has event types that aren't registered, but the log already holds them: ${listed(types)}. ` +
      `Its documents were made without them. Leave them out of the collection, or ${raise(next)}.`,
    { collection: name, definition, added, held },
  );
}

export function nextDefinition(
  { keyings, definitions }: Pick<Registry, 'keyings' | 'definitions'>,
  collection: string,
): NextDefinition {
  const ofCollection = definitions.filter((one) => one.collection === collection);
  const called = keyings.filter(({ state, key }) => state === 'live' && functionTypes(key).length > 0);
  const gone = ofCollection.filter(({ keying }) => called.some(({ name }) => name === keying));
  return {
    collection,
    number: Math.max(...ofCollection.map(({ definition }) => definition)) + 1,
    gone: [...new Set(gone.map(({ definition }) => definition))],
  };
}

/** What to do where a collection in code can't be what is registered under its number. */
export function raise({ collection, number, gone }: NextDefinition): string {
  if (gone.length === 0) return `raise definition to ${number}: then its documents are made again`;
  return (
    `raise definition to ${number}, and open once with definitions: 'before' and ${retiredText(collection, gone)}: then its ` +
    'documents are made again. Servers of the old release stop, as only its code has the old function'
  );
}

export function retiredText(collection: string, numbers: readonly number[]): string {
  return `retired: [${numbers.map((definition) => `{ collection: '${collection}', definition: ${definition} }`).join(', ')}]`;
}

export function listed(types: readonly string[]): string {
  const more = types.length - NAMED_MAX;
  return `${types.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
