/**
 * Which collections are attached to events, and how: what lets servers with different code append side by side.
 */
import { RebuildRequired } from '../../errors.ts';
import type { CollectionEntry, Registry } from '../store.ts';
import { compareStrings } from './order.ts';
import type { Log } from './schema.ts';

/** Adds what is new. The caller holds the write lock. Nothing is changed if it throws. */
export function register(log: Log, collections: readonly CollectionEntry[]): Registry {
  const entries = new Map(log.registry.collections.map((entry) => [entry.name, entry]));
  const before = entries.size;
  for (const { name, definition, key } of collections) {
    const registered = entries.get(name);
    if (registered === undefined) {
      if (log.events.length > 0) throw isNew(name);
      // A copy by way of JSON: what is registered is what another process would read.
      entries.set(name, Object.freeze({ name, definition, key: JSON.parse(JSON.stringify(key)) }));
    } else if (registered.definition !== definition) {
      throw hasChanged(name, `definition ${registered.definition}, not ${definition}`);
    } else if (JSON.stringify(registered.key) !== JSON.stringify(key)) {
      throw hasChanged(name, 'another key');
    }
  }
  if (entries.size > before) {
    log.registry = Object.freeze({
      generation: log.registry.generation + 1,
      collections: Object.freeze([...entries.values()].sort((a, b) => compareStrings(a.name, b.name))),
    });
  }
  return log.registry;
}

function isNew(name: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${name} is new, but the log already holds events that it would have to be attached to. ` +
      'Leave the collection out, or start with an empty log.',
    { collection: name },
  );
}

function hasChanged(name: string, registered: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${name} is registered with ${registered}. Open the log with the collection as it was, or start ` +
      'with an empty log.',
    { collection: name },
  );
}
