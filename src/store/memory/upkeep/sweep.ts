/** Removes what the registry doesn't need any more. */
import type { Log } from '../schema.ts';
import { detach } from '../writing/attach.ts';

/** All at once: it only lets go of what is in memory. */
export function sweep(log: Log): boolean {
  const { registry, sets, indexes } = log;
  const needed = new Set(registry.definitions.flatMap(({ set, rebuilt }) => [set, rebuilt]));
  for (const set of sets.keys()) if (!needed.has(set)) sets.delete(set);
  const known = new Set(registry.indexes.filter(({ set }) => needed.has(set)).map(({ number }) => number));
  for (const index of indexes.keys()) if (!known.has(index)) indexes.delete(index);
  for (const { name, state } of registry.keyings) if (state === 'retired') detach(log, name);
  return false;
}
