/** The registered collections, and the generation that every change of them raises. */
import type { DatabaseSync } from 'node:sqlite';
import { declaredKeyOf } from '../declared-key.ts';
import { hasChanged, isNew, isSameEntry } from '../registered.ts';
import type { CollectionEntry, Registry } from '../store.ts';
import type { Chain } from './commits.ts';
import { all, one } from './connection.ts';
import { corrupt } from './errors.ts';
import { isCount, isWhole } from './values.ts';

export interface RegistryTable {
  generation(): number;
  registry(): Registry;
  /** With the write lock held. */
  register(collections: readonly CollectionEntry[]): Registry;
}

export function registryTable(database: DatabaseSync, chain: Chain): RegistryTable {
  const select = database.prepare('SELECT name, definition, key FROM registry ORDER BY name');
  const selectGeneration = database.prepare("SELECT value FROM meta WHERE name = 'generation'");
  const insert = database.prepare('INSERT INTO registry (name, definition, key) VALUES (?, ?, ?)');
  const raise = database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'generation'");

  function generation(): number {
    const row = one<[number]>(selectGeneration);
    if (row === undefined) throw corrupt('the generation of the registry is missing');
    if (!isWhole(row[0])) throw corrupt('the generation of the registry is none');
    return row[0];
  }

  function registry(): Registry {
    const rows = all<[string, number, string]>(select);
    return {
      generation: generation(),
      collections: rows.map(([name, definition, key]) => {
        if (typeof name !== 'string' || !isCount(definition)) {
          throw corrupt('a registered collection has a name or definition that is none', { collection: name });
        }
        return { name, definition, key: declaredKeyOf(key, (what) => corrupt(what, { collection: name })) };
      }),
    };
  }

  return {
    generation,
    registry,
    register(collections) {
      const registered = new Map(registry().collections.map((entry) => [entry.name, entry]));
      const added = new Map<string, CollectionEntry>();
      for (const entry of collections) {
        const known = registered.get(entry.name) ?? added.get(entry.name);
        if (known === undefined) added.set(entry.name, entry);
        else if (!isSameEntry(known, entry)) throw hasChanged(entry.name);
      }
      if (added.size === 0) return registry();
      const [first] = added.keys();
      if (chain.end().position > 0) throw isNew(String(first));
      for (const { name, definition, key } of added.values()) insert.run(name, definition, JSON.stringify(key));
      raise.run();
      return registry();
    },
  };
}
