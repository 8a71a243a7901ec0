/** What engines that keep the registry in tables say of a collection that can't be registered. */
import { RebuildRequired } from '../errors.ts';
import type { CollectionEntry } from './store.ts';

export function isSameEntry(one: CollectionEntry, other: CollectionEntry): boolean {
  return one.definition === other.definition && JSON.stringify(one.key) === JSON.stringify(other.key);
}

export function hasChanged(collection: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${collection} is registered with another definition or key. Its documents would have to be made ` +
      'again, which this version cannot do: go back to the registered one, or start a new log.',
    { collection },
  );
}

export function isNew(collection: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${collection} is new, and the log holds events already. Its documents would have to be made, which ` +
      'this version cannot do: leave it out, or start a new log.',
    { collection },
  );
}
