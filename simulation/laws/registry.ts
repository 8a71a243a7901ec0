/** Which collections a release must have to write at all. */
import type { DomainShape } from '../domain/shape.ts';

/** Whether some collection's key is a function that the release doesn't have. */
export function functionKeysMissing({ collections, releases }: DomainShape, release: number): boolean {
  const { handles } = releases[release]!;
  return collections.some(({ name, key }) => {
    return !handles[name] && 'types' in key && Object.values(key.types).some((part) => 'calls' in part);
  });
}
