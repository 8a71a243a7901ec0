/** The registered collections, and the generation that every change of them raises. */
import type { DatabaseSync } from 'node:sqlite';
import { declaredKeyOf, handledOf } from '../../declared-key.ts';
import { grownBy } from '../../registered.ts';
import type { CollectionEntry, Registry } from '../../store.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { TypesTable } from '../reading/types.ts';
import { isCount, isWhole } from '../values.ts';

export interface RegistryTable {
  generation(): number;
  registry(): Registry;
  /** The registry, if it has all of them already: then there is nothing to write. */
  unchangedBy(collections: readonly CollectionEntry[]): Registry | undefined;
  /** With the write lock held. */
  register(collections: readonly CollectionEntry[]): Registry;
}

export function registryTable(database: DatabaseSync, types: TypesTable): RegistryTable {
  const select = database.prepare('SELECT name, definition, key, handled FROM registry ORDER BY name');
  const selectGeneration = database.prepare("SELECT value FROM meta WHERE name = 'generation'");
  const write = database.prepare('REPLACE INTO registry (name, definition, key, handled) VALUES (?, ?, ?, ?)');
  const raise = database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'generation'");

  function generation(): number {
    const row = one<[number]>(selectGeneration);
    if (row === undefined) throw corrupt('the generation of the registry is missing');
    if (!isWhole(row[0])) throw corrupt('the generation of the registry is none');
    return row[0];
  }

  function registry(): Registry {
    const rows = all<[string, number, string, string]>(select);
    return {
      generation: generation(),
      collections: rows.map(([name, definition, key, handled]) => {
        if (typeof name !== 'string' || !isCount(definition)) {
          throw corrupt('a registered collection has a name or definition that is none', { collection: name });
        }
        const wrong = (what: string): Error => corrupt(what, { collection: name });
        return { name, definition, key: declaredKeyOf(key, wrong), handled: handledOf(handled, wrong) };
      }),
    };
  }

  return {
    generation,
    registry,
    unchangedBy(collections) {
      const now = registry();
      return grownBy(now.collections, collections, types.facts()).length === 0 ? now : undefined;
    },
    register(collections) {
      const before = registry();
      const grown = grownBy(before.collections, collections, types.facts());
      if (grown.length === 0) return before;
      for (const { name, definition, key, handled } of grown) {
        write.run(name, definition, JSON.stringify(key), JSON.stringify(handled));
      }
      raise.run();
      return registry();
    },
  };
}
