/** The registered collections, and the generation that every change of them raises. */
import { RebuildRequired } from '../../errors.ts';
import type { DeclaredKey } from '../../model/key.ts';
import { isDeclaredKey } from '../declared-key.ts';
import type { CollectionEntry, Registry } from '../store.ts';
import { int8s, texts } from './arrays.ts';
import type { Query, Value } from './connection.ts';
import { corrupt } from './errors.ts';
import { count, text, whole } from './values.ts';

export interface RegistryTable {
  registry(query: Query): Promise<Registry>;
  /** `lockTimeoutMs`: how long to wait for the write lock. */
  register(query: Query, collections: readonly CollectionEntry[], lockTimeoutMs: number): Promise<Registry>;
}

export function registryTable(schema: string): RegistryTable {
  const all = `
    SELECT (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation'), r.name, r.definition, r.key
    FROM (VALUES (true)) AS answer LEFT JOIN ${schema}.registry r ON true ORDER BY r.name`;
  const add = `SELECT status, collection FROM ${schema}.register_v1($1, $2, $3, $4)`;

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
          key: parsed(key, where),
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
        if (known !== undefined && !same(known, entry)) throw changed(entry.name);
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
      if (status === 'changed') throw changed(String(collection));
      if (status === 'new') throw isNew(String(collection));
      return registry(query);
    },
  };
}

function same(one: CollectionEntry, other: CollectionEntry): boolean {
  return one.definition === other.definition && JSON.stringify(one.key) === JSON.stringify(other.key);
}

function parsed(key: Value | undefined, where: Readonly<Record<string, unknown>>): DeclaredKey {
  let declared: unknown;
  try {
    declared = JSON.parse(text(key, 'a declared key', where));
  } catch {
    throw corrupt('the declared key is no JSON', where);
  }
  if (isDeclaredKey(declared)) return declared;
  throw corrupt('the declared key is none', where);
}

function changed(collection: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${collection} is registered with another definition or key. Its documents would have to be made ` +
      'again, which this version cannot do: go back to the registered one, or start a new log.',
    { collection },
  );
}

function isNew(collection: string): RebuildRequired {
  return new RebuildRequired(
    `The collection ${collection} is new, and the log holds events already. Its documents would have to be made, which ` +
      'this version cannot do: leave it out, or start a new log.',
    { collection },
  );
}
