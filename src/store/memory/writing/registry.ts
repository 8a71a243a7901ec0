/**
 * Which collections are attached to events, and how: what lets servers with different code append side by side.
 */
import { grownBy } from '../../registered.ts';
import type { CollectionEntry, Registry } from '../../store.ts';
import { compareStrings } from '../reading/order.ts';
import type { Log } from '../schema.ts';

/** The registry, if it has all of them already. Without the lock, so by what everybody can see. */
export function unchangedBy(log: Log, collections: readonly CollectionEntry[]): Registry | undefined {
  const { registry, types, visible } = log;
  const firstOf = (type: string): number | undefined => {
    const position = types.get(type)?.position;
    return position !== undefined && position <= visible.position ? position : undefined;
  };
  const grown = grownBy(registry.collections, collections, { isEmpty: visible.position === 0, firstOf });
  return grown.length === 0 ? registry : undefined;
}

/** Adds what is new. The caller holds the write lock. Nothing is changed if it throws. */
export function register(log: Log, collections: readonly CollectionEntry[]): Registry {
  const { registry, events, types } = log;
  const facts = { isEmpty: events.length === 0, firstOf: (type: string) => types.get(type)?.position };
  const grown = grownBy(registry.collections, collections, facts);
  if (grown.length === 0) return registry;
  const entries = new Map([...registry.collections, ...grown].map((entry) => [entry.name, Object.freeze(entry)]));
  log.registry = Object.freeze({
    generation: registry.generation + 1,
    collections: Object.freeze([...entries.values()].sort((a, b) => compareStrings(a.name, b.name))),
  });
  return log.registry;
}
