/** Attaching once more, as small as it can be written: from a key's data and an event to ids. Shares nothing with the product. */
import type { DocumentRef } from 'tidemark';
import type { Registry } from '../../src/store/store.ts';
import type { CollectionShape, DomainShape, KeyShape } from '../domain/shape.ts';
import type { Fields } from '../domain/user-code.ts';

/** Collection → the event types that its registered key names; all, where the key is of fields. */
export type Registered = ReadonlyMap<string, ReadonlySet<string> | 'all'>;

export function registeredOf({ collections }: Registry): Registered {
  return new Map(collections.map(({ name, key }) => [name, 'types' in key ? new Set(Object.keys(key.types)) : 'all']));
}

function names(registered: Registered, collection: string, type: string): boolean {
  const types = registered.get(collection);
  return types === 'all' || (types?.has(type) ?? false);
}

/** Ids wherever they are found, each once. */
function gather(...found: readonly unknown[]): string[] {
  const ids = (found.flat() as unknown[]).filter((id): id is string => typeof id === 'string');
  return [...new Set(ids)];
}

function idsIn({ key }: CollectionShape, event: Fields): string[] {
  if (event.type.startsWith('$')) return [];
  if ('fields' in key) return gather(...[...new Set(key.fields)].sort().map((field) => event[field]));
  const part = key.types[event.type];
  if (!part) return [];
  if ('calls' in part) return part.calls === 'parity' ? [`p${(event.n ?? 0) % 2}`] : gather(event[part.calls]);
  return gather(...[...new Set(part)].sort().map((path) => (path === 'lines[].ref' ? refs(event) : event[path])));
}

function refs(event: Fields): readonly unknown[] {
  return ((event['lines'] as { ref: string }[] | undefined) ?? []).map(({ ref }) => ref);
}

/** The documents of the registered collections that an event concerns, in the order that they are recorded in. */
export function attachments({ collections }: DomainShape, registered: Registered, event: Fields): DocumentRef[] {
  return [...collections]
    .filter(({ name }) => names(registered, name, event.type))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((collection) => idsIn(collection, event).map((id) => ({ collection: collection.name, id })));
}

/** The fields that some key names for itself: a failure takes its ids from them. */
export function namedFields({ collections }: DomainShape, registered: Registered): Set<string> {
  return new Set(
    collections
      .filter(({ name }) => registered.has(name))
      .flatMap(({ name, key }) => fieldsOf(key, (type) => names(registered, name, type))),
  );
}

function fieldsOf(key: KeyShape, isNamed: (type: string) => boolean): readonly string[] {
  if ('fields' in key) return key.fields;
  return Object.entries(key.types).flatMap(([type, part]) =>
    'calls' in part || !isNamed(type) ? [] : part.filter((path) => !path.includes('[')),
  );
}
