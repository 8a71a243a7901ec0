/** What all stores do alike with a registry. */
import { Buffer } from 'node:buffer';
import type { Registry, RegistryChange } from './store.ts';

/**
 * The registry after a change. It holds copies: what the caller does with its objects later changes nothing.
 *
 * @example
 * ```ts
 * import { changedBy, type Registry } from 'tidemark/store';
 *
 * const empty: Registry = { generation: 0, last: 0, keyings: [], definitions: [], indexes: [] };
 * const users = { name: 'users', collection: 'users', key: { fields: ['user_id'] }, state: 'live', filled: 0 } as const;
 * console.log(changedBy(empty, { raises: true, last: 0, keyings: [users] }).generation); // 1
 * ```
 */
export function changedBy(registry: Registry, change: RegistryChange): Registry {
  const { raises, last, keyings, definitions, indexes, removed = [] } = change;
  const gone: ReadonlySet<string | number> = new Set(removed);
  return Object.freeze({
    generation: registry.generation + (raises ? 1 : 0),
    last,
    keyings: merged(registry.keyings, keyings, gone, ({ name }) => name).sort(byName),
    definitions: merged(registry.definitions, definitions, gone, ({ id }) => id).sort((a, b) => a.id - b.id),
    indexes: merged(registry.indexes, indexes, gone, ({ number }) => number).sort((a, b) => a.number - b.number),
  });
}

/**
 * Whether a set is registered, as the set of a definition or as one that is to take its place.
 *
 * @example
 * ```ts
 * import { hasSet, type Registry } from 'tidemark/store';
 *
 * const empty: Registry = { generation: 0, last: 0, keyings: [], definitions: [], indexes: [] };
 * console.log(hasSet(empty, 2)); // false
 * ```
 */
export function hasSet({ definitions }: Registry, set: number): boolean {
  return definitions.some((one) => one.set === set || one.rebuilt === set);
}

/** In the place of what has the same name, id or number, or added. */
function merged<T>(
  before: readonly T[],
  added: readonly T[] = [],
  gone: ReadonlySet<string | number>,
  idOf: (one: T) => string | number,
): T[] {
  const all = new Map(before.map((one) => [idOf(one), one]));
  for (const one of added) all.set(idOf(one), Object.freeze(JSON.parse(JSON.stringify(one)) as T));
  return [...all].flatMap(([id, one]) => (gone.has(id) ? [] : [one]));
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return Buffer.compare(Buffer.from(one.name), Buffer.from(other.name));
}
