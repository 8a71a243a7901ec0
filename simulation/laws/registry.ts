/** What a release must have to write at all, what it says of itself when it is opened, and when it must be refused. */
import type { CollectionEntry, Definitions } from '../../src/engine/registry/rules.ts';
import type { Keying, Registry } from '../../src/store/store.ts';
import { definedIn, type DomainShape, type KeyShape } from '../domain/shape.ts';

/** Whether some collection's key is a function, in events of some type, that the release doesn't have. */
export function functionKeysMissing(shape: DomainShape, release: number): boolean {
  const { handles, knows } = shape.releases[release]!;
  return shape.collections.some(({ name, definitions }) =>
    definitions.some(({ key }, index) => {
      if (!('types' in key) || !isUsed(shape, name, index + 1)) return false;
      const calls = Object.entries(key.types).filter(([, part]) => 'calls' in part);
      const isOwn = handles[name] && definedIn(shape, release, name).number === index + 1;
      return calls.some(([type]) => !isOwn || !knows.includes(type));
    }),
  );
}

function isUsed(shape: DomainShape, name: string, number: number): boolean {
  return shape.releases.some(({ handles }, index) => handles[name] && definedIn(shape, index, name).number === number);
}

/** The collections that a release registers. */
export function entriesOf(shape: DomainShape, release: number): CollectionEntry[] {
  const { handles, knows, indexes = [] } = shape.releases[release]!;
  return shape.collections.flatMap(({ name }): CollectionEntry[] => {
    const handled = handles[name];
    if (!handled) return [];
    const { number: definition, key } = definedIn(shape, release, name);
    return [{ name, definition, key: declaredOf(key, knows), handled, indexes }];
  });
}

function declaredOf(key: KeyShape, knows: readonly string[]): CollectionEntry['key'] {
  if ('fields' in key) return { fields: [...new Set(key.fields)].sort() };
  const known = Object.entries(key.types).filter(([type]) => knows.includes(type));
  return {
    types: Object.fromEntries(
      known.map(([type, part]) => [type, 'calls' in part ? ('function' as const) : [...new Set(part)].sort()]),
    ),
  };
}

/** What a log holds: the types of its events. */
export type Held = ReadonlySet<string>;

/** Why these collections can't be registered: the code of the error. Undefined if they can. */
export function refusalOf(
  registry: Registry,
  held: Held,
  entries: readonly CollectionEntry[],
  definitions: Definitions,
): 'DefinitionChanged' | 'RebuildRequired' | undefined {
  for (const entry of entries) {
    const refusal = refusalOfOne(registry, held, entry, definitions);
    if (refusal) return refusal;
  }
  return undefined;
}

function refusalOfOne(
  { definitions: rows, keyings }: Registry,
  held: Held,
  { name, definition, key, handled }: CollectionEntry,
  how: Definitions,
): ReturnType<typeof refusalOf> {
  const own = rows.filter((one) => one.collection === name && one.definition === definition);
  const ours = keyings.find((one) => one.name === own[0]?.keying);
  if (ours) {
    const theirs = own.flatMap((one) => one.handled);
    const lacks = [...without(typesOf(ours.key), typesOf(key)), ...without(theirs, handled)];
    const adds = [...without(typesOf(key), typesOf(ours.key)), ...without(handled, theirs)];
    const isOther = !agree(ours.key, key) || (ours.definition !== definition && shareFunction(ours.key, key));
    const isFault = isOther || (lacks.length > 0 && adds.length > 0) || adds.some((type) => held.has(type));
    if (!isFault) return undefined;
    // Of what was never ready nobody has had documents: it is made anew.
    if (ours.state !== 'filling') return 'DefinitionChanged';
  }
  if (held.size === 0) return undefined;
  const hasFunction = 'types' in key && Object.values(key.types).includes('function');
  const isFree = ({ name: keying }: Keying): boolean =>
    keying !== ours?.name || rows.some((row) => row.keying === keying && !own.includes(row));
  const others = keyings.filter((one) => one.collection === name && one.state !== 'retired' && isFree(one));
  if (!hasFunction && others.some((other) => isSameKey(other.key, key, held)))
    return how === 'refuse' ? 'RebuildRequired' : undefined;
  const fills = 'fields' in key || typesOf(key).some((type) => held.has(type));
  return fills && (how === 'refuse' || (hasFunction && how === 'online')) ? 'RebuildRequired' : undefined;
}

/** Whether a key finds what a registered one does, which may lack types that the log has never held. */
function isSameKey(registered: CollectionEntry['key'], key: CollectionEntry['key'], held: Held): boolean {
  const [theirs, ours] = [typesOf(registered), typesOf(key)];
  return (
    agree(registered, key) &&
    without(theirs, ours).length === 0 &&
    without(ours, theirs).every((type) => !held.has(type))
  );
}

/** Whether two keys say the same of what both know: another definition may have added types to a keying that both share. */
function agree(registered: CollectionEntry['key'], key: CollectionEntry['key']): boolean {
  if (!('types' in registered) || !('types' in key)) return JSON.stringify(registered) === JSON.stringify(key);
  return typesOf(registered).every(
    (type) => !(type in key.types) || JSON.stringify(registered.types[type]) === JSON.stringify(key.types[type]),
  );
}

/** Each definition has a function of its own. */
function shareFunction(registered: CollectionEntry['key'], key: CollectionEntry['key']): boolean {
  if (!('types' in registered) || !('types' in key)) return false;
  return typesOf(key).some((type) => key.types[type] === 'function' && registered.types[type] === 'function');
}

function typesOf(key: CollectionEntry['key']): readonly string[] {
  return 'types' in key ? Object.keys(key.types) : [];
}

function without(types: readonly string[], others: readonly string[]): readonly string[] {
  return types.filter((type) => !others.includes(type));
}
