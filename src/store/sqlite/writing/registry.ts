/** The registered collections, and their generation, which every change raises. */
import type { DatabaseSync } from 'node:sqlite';
import { declaredKeyOf, handledOf } from '../../declared-key.ts';
import { grownBy } from '../../registered.ts';
import type { CollectionEntry, Registry } from '../../store.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Types } from '../reading/types.ts';
import { isCount, isWhole } from '../values.ts';

export class RegistryEntries {
  readonly #sql;
  readonly #types: Types;

  constructor(database: DatabaseSync, types: Types) {
    this.#sql = {
      select: database.prepare('SELECT name, definition, key, handled FROM registry ORDER BY name'),
      generation: database.prepare("SELECT value FROM meta WHERE name = 'generation'"),
      replace: database.prepare('REPLACE INTO registry (name, definition, key, handled) VALUES (?, ?, ?, ?)'),
      raise: database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'generation'"),
    };
    this.#types = types;
  }

  registry(): Registry {
    return { generation: this.generation(), collections: this.#entries() };
  }

  /** With the write lock held. */
  register(collections: readonly CollectionEntry[]): Registry {
    const grown = this.lacking(collections);
    for (const { name, definition, key, handled } of grown) {
      this.#sql.replace.run(name, definition, JSON.stringify(key), JSON.stringify(handled));
    }
    if (grown.length > 0) this.#sql.raise.run();
    return this.registry();
  }

  /** Those that aren't registered as they are, as entries to be stored. */
  lacking(collections: readonly CollectionEntry[]): readonly CollectionEntry[] {
    return grownBy(this.#entries(), collections, this.#types.facts());
  }

  generation(): number {
    const row = one<[number]>(this.#sql.generation);
    if (row === undefined) throw corrupt('the generation of the registry is missing');
    if (!isWhole(row[0])) throw corrupt("the generation of the registry isn't valid");
    return row[0];
  }

  #entries(): readonly CollectionEntry[] {
    return all<[string, number, string, string]>(this.#sql.select).map(([name, definition, key, handled]) => {
      if (typeof name !== 'string' || !isCount(definition)) {
        throw corrupt("the name or the definition of a registered collection isn't valid", { collection: name });
      }
      const wrong = (what: string): Error => corrupt(what, { collection: name });
      return { name, definition, key: declaredKeyOf(key, wrong), handled: handledOf(handled, wrong) };
    });
  }
}
