/** What a release must have to write at all, and what it says of itself when it is opened. */
import type { CollectionEntry } from '../../src/store/store.ts';
import type { DomainShape } from '../domain/shape.ts';

/** Whether some collection's key is a function, in events of some type, that the release doesn't have. */
export function functionKeysMissing({ collections, releases }: DomainShape, release: number): boolean {
  const { handles, knows } = releases[release]!;
  return collections.some(({ name, key }) => {
    if (!('types' in key)) return false;
    const calls = Object.entries(key.types).filter(([, part]) => 'calls' in part);
    return calls.some(([type]) => !handles[name] || !knows.includes(type));
  });
}

/** The collections that a release registers. */
export function entriesOf({ collections, releases }: DomainShape, release: number): CollectionEntry[] {
  const { handles, knows } = releases[release]!;
  return collections.flatMap(({ name, key }): CollectionEntry[] => {
    const handled = handles[name];
    if (!handled) return [];
    if ('fields' in key) return [{ name, definition: 1, key: { fields: key.fields }, handled }];
    const known = Object.entries(key.types).filter(([type]) => knows.includes(type));
    const types = Object.fromEntries(
      known.map(([type, part]) => [type, 'calls' in part ? ('function' as const) : part]),
    );
    return [{ name, definition: 1, key: { types }, handled }];
  });
}
