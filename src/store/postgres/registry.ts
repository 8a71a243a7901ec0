/** The registered collections, and the generation that every change of them raises. */
import { declaredKeyOf } from '../declared-key.ts';
import { hasChanged, isNew, isSameEntry } from '../registered.ts';
import type { CollectionEntry, Registry } from '../store.ts';
import { int8s, texts } from './arrays.ts';
import type { Query } from './connection.ts';
import { corrupt } from './errors.ts';
import { call, callOf } from './functions.ts';
import type { Reading } from './functions.ts';
import { count, text, whole } from './values.ts';

export interface RegistryTable {
  registry(query: Query): Promise<Registry>;
  /** `lockTimeoutMs`: how long to wait for the write lock. */
  register(query: Query, collections: readonly CollectionEntry[], lockTimeoutMs: number): Promise<Registry>;
}

const ALL: Reading = {
  name: 'registry_v1',
  takes: '',
  gives: 'bigint, text, bigint, text',
  sql: (schema) => `
    SELECT (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation'), r.name, r.definition, r.key
    FROM (VALUES (true)) AS answer LEFT JOIN ${schema}.registry r ON true ORDER BY r.name`,
};
export const REGISTRY: readonly Reading[] = [ALL];

export function registryTable(schema: string): RegistryTable {
  const all = callOf(schema, ALL);
  const add = call(schema, 'register_v1', 4, 'status, collection');

  async function registry(query: Query): Promise<Registry> {
    const rows = await query(all, []);
    const found = rows.filter(([, name]) => name !== null);
    return {
      generation: whole(rows[0]![0], 'the generation of the registry'),
      collections: found.map(([, name, definition, key]) => {
        const where = { collection: name };
        return {
          name: text(name, 'a name', where),
          definition: count(definition, 'a definition', where),
          key: declaredKeyOf(text(key, 'a declared key', where), (what) => corrupt(what, where)),
        };
      }),
    };
  }

  return {
    registry,
    async register(query, collections, lockTimeoutMs) {
      const entries = new Map<string, CollectionEntry>();
      for (const entry of collections) {
        const known = entries.get(entry.name);
        if (known !== undefined && !isSameEntry(known, entry)) throw hasChanged(entry.name);
        entries.set(entry.name, entry);
      }
      const all = [...entries.values()];
      const [row] = await query(add, [
        String(lockTimeoutMs),
        texts(all.map(({ name }) => name)),
        int8s(all.map(({ definition }) => definition)),
        texts(all.map(({ key }) => JSON.stringify(key))),
      ]);
      const [status, collection] = row!;
      if (status === 'changed') throw hasChanged(String(collection));
      if (status === 'new') throw isNew(String(collection));
      return registry(query);
    },
  };
}
