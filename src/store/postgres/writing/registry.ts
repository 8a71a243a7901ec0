/** The registered collections, and the registry's generation, which every change raises. */
import { declaredKeyOf, handledOf } from '../../declared-key.ts';
import { grownBy, type LogFacts } from '../../registered.ts';
import type { CollectionEntry, Registry } from '../../store.ts';
import { int8s, texts } from '../arrays.ts';
import type { Row } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import { call, type Calls, type Reading } from '../functions.ts';
import { count, text, whole } from '../values.ts';

/** With the positions of those types of $1 that the log has held. */
const ALL: Reading = {
  name: 'registry_v1',
  takes: 'text[]',
  gives: 'bigint, text, bigint, text, text, boolean, json',
  sql: (schema) => `
    SELECT (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation'), r.name, r.definition, r.key, r.handled,
      EXISTS (SELECT FROM ${schema}.commits),
      (SELECT json_object_agg(n.name, t.position) FROM ${schema}.names n JOIN ${schema}.types t ON t.type = n.number
       WHERE n.name = ANY ($1))
    FROM (VALUES (true)) AS answer LEFT JOIN ${schema}.registry r ON true ORDER BY r.name`,
};
export const REGISTRY: readonly Reading[] = [ALL];

/** Whether the current role may register anything. */
const MAY_REGISTER = `SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = $1 AND p.proname = 'register_v1' AND $2::uuid IS NOT NULL`;

export class RegistryEntries {
  readonly #schema: string;

  constructor(schema: string) {
    this.#schema = schema;
  }

  async registry(query: Calls): Promise<Registry> {
    return (await this.#find(query, [])).registry;
  }

  /** The registry, if it has them all already and the role may write: then nobody has to wait for the lock. */
  async unchangedBy(query: Calls, collections: readonly CollectionEntry[]): Promise<Registry | undefined> {
    const { registry, facts } = await this.#find(query, typesOf(collections));
    if (grownBy(registry.collections, collections, facts).length > 0) return undefined;
    // A role that may only read gets its error when it tries to register.
    const [row] = await query(MAY_REGISTER, [this.#schema.slice(1, -1).replaceAll('""', '"')]);
    return row?.[0] === 't' ? registry : undefined;
  }

  /**
   * Judges before it takes the lock (`register_v1`): if the registry has changed when it has the lock, it judges again.
   * `lockTimeoutMs`: how long to wait for the lock.
   */
  async register(query: Calls, collections: readonly CollectionEntry[], lockTimeoutMs: number): Promise<Registry> {
    const types = typesOf(collections);
    for (;;) {
      const { registry, facts } = await this.#find(query, types);
      const grown = grownBy(registry.collections, collections, facts);
      // Also if there is nothing to write: a role that may only read gets its error here.
      const [row] = await query(call(this.#schema, 'register_v1', 6, 'status'), [
        String(lockTimeoutMs),
        String(registry.generation),
        texts(grown.map(({ name }) => name)),
        int8s(grown.map(({ definition }) => definition)),
        texts(grown.map(({ key }) => JSON.stringify(key))),
        texts(grown.map(({ handled }) => JSON.stringify(handled))),
      ]);
      if (row?.[0] !== 'moved') return grown.length === 0 ? registry : this.registry(query);
    }
  }

  async #find(query: Calls, types: readonly string[]) {
    const rows = await query(ALL, [texts(types)]);
    const [generation, , , , , filled, held] = rows[0]!;
    const positions = new Map(Object.entries(JSON.parse(held ?? '{}') as Readonly<Record<string, number>>));
    const registry: Registry = {
      generation: whole(generation, 'the generation of the registry'),
      collections: rows.filter(([, name]) => name !== null).map(entryOf),
    };
    const facts: LogFacts = { isEmpty: filled !== 't', firstOf: (type) => positions.get(type) };
    return { registry, facts };
  }
}

function entryOf([, name, definition, key, handled]: Row): CollectionEntry {
  const where = { collection: name };
  const wrong = (what: string): Error => corrupt(what, where);
  return {
    name: text(name, 'a name', where),
    definition: count(definition, 'a definition', where),
    key: declaredKeyOf(text(key, 'a declared key', where), wrong),
    handled: handledOf(text(handled, 'a list of types', where), wrong),
  };
}

function typesOf(collections: readonly CollectionEntry[]): readonly string[] {
  return collections.flatMap(({ key, handled }) => [...handled, ...('types' in key ? Object.keys(key.types) : [])]);
}
