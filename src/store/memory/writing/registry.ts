/** The registered collections. */
import { grownBy } from '../../registered.ts';
import type { CollectionEntry, LogEnd, Registry } from '../../store.ts';
import { compareStrings } from '../reading/order.ts';
import { endOf, type Log } from '../schema.ts';

export class RegistryEntries {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  registry(): Registry {
    return this.#log.registry;
  }

  /** The registry, if it already has all of them. */
  unchangedBy(end: LogEnd, collections: readonly CollectionEntry[]): Registry | undefined {
    return this.#grownBy(end, collections).length === 0 ? this.#log.registry : undefined;
  }

  /** Adds what is new. With the write lock held. Changes nothing if it throws. */
  register(collections: readonly CollectionEntry[]): Registry {
    const { registry } = this.#log;
    const grown = this.#grownBy(endOf(this.#log), collections);
    if (grown.length === 0) return registry;
    const entries = new Map([...registry.collections, ...grown].map((entry) => [entry.name, Object.freeze(entry)]));
    this.#log.registry = Object.freeze({
      generation: registry.generation + 1,
      collections: Object.freeze([...entries.values()].sort((a, b) => compareStrings(a.name, b.name))),
    });
    return this.#log.registry;
  }

  #grownBy(end: LogEnd, collections: readonly CollectionEntry[]): readonly CollectionEntry[] {
    const { registry, types } = this.#log;
    const firstOf = (type: string): number | undefined => {
      const position = types.get(type)?.position;
      return position !== undefined && position <= end.position ? position : undefined;
    };
    return grownBy(registry.collections, collections, { isEmpty: end.position === 0, firstOf });
  }
}
