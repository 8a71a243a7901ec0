/** The registry: which keyings, definitions and indexes there are. A change brings sets into being and out of it. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import { GENESIS_HASH } from '../../chain.ts';
import type { Definition, Index, Judge, Keying, Registry, RegistryChange } from '../../store.ts';
import { one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { RegistryRows } from '../reading/registry.ts';
import type { Types } from '../reading/types.ts';
import { isWhole } from '../values.ts';

/** What changes where the end of the log may not show it. */
export interface Marks {
  readonly generation: number;
  /** Raised where attachments were added to stored events, or removed: heads that were read before may be wrong then. */
  readonly attached: number;
}

export class RegistryEntries {
  readonly #sql;
  readonly #rows: RegistryRows;
  readonly #types: Types;

  constructor(database: DatabaseSync, types: Types) {
    const replace = (table: string, columns: string): ReturnType<typeof database.prepare> =>
      database.prepare(`REPLACE INTO ${table} (${columns}) VALUES (${columns.replaceAll(/\w+/g, '?')})`);
    this.#sql = {
      marks: database.prepare(
        `SELECT (SELECT value FROM meta WHERE name = 'generation'), (SELECT value FROM meta WHERE name = 'attached')`,
      ),
      keying: replace('keyings', 'name, collection, key, definition, state, filled'),
      definition: replace(
        'definitions',
        'id, collection, definition, handled, keying, document_set, rebuilt, rebuild_note, used_at',
      ),
      index: replace('indexes', 'number, document_set, fields, state, filled, used_at'),
      dropDefinition: database.prepare('DELETE FROM definitions WHERE id = ?'),
      dropIndex: database.prepare('DELETE FROM indexes WHERE number = ?'),
      addSets: database.prepare(
        `INSERT OR IGNORE INTO sets (number, position, hash)
         SELECT document_set, 0, ?1 FROM definitions UNION SELECT rebuilt, 0, ?1 FROM definitions WHERE rebuilt NOT NULL`,
      ),
      dropSets: database.prepare(
        `DELETE FROM sets WHERE number NOT IN
           (SELECT document_set FROM definitions UNION SELECT rebuilt FROM definitions WHERE rebuilt NOT NULL)`,
      ),
      last: database.prepare("UPDATE meta SET value = ? WHERE name = 'last'"),
      raise: database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'generation'"),
      attached: database.prepare("UPDATE meta SET value = value + 1 WHERE name = 'attached'"),
    };
    this.#rows = new RegistryRows(database);
    this.#types = types;
  }

  registry(): Registry {
    return this.#rows.registry(this.generation());
  }

  generation(): number {
    return this.marks().generation;
  }

  marks(): Marks {
    const [generation, attached] = one<[number | null, number | null]>(this.#sql.marks)!;
    if (generation === null || attached === null) throw corrupt('the generation of the registry is missing');
    if (!isWhole(generation) || !isWhole(attached)) throw corrupt("the generation of the registry isn't valid");
    return { generation, attached };
  }

  /** What is to be changed, and the registry that it was judged by. Valid in the transaction that asks. */
  judged(judge: Judge): { readonly registry: Registry; readonly change: RegistryChange | undefined } {
    const registry = this.registry();
    return { registry, change: judge(registry, this.#types.facts()) };
  }

  /** With the write lock held. */
  change(judge: Judge): Registry {
    const { registry, change } = this.judged(judge);
    if (!change) return registry;
    this.#write(change);
    return this.registry();
  }

  /** With the write lock held: moves on a keying that is being filled. */
  moveKeying(keying: Keying): void {
    this.#putKeying(keying);
    this.#sql.attached.run();
    if (keying.state === 'live') this.#sql.raise.run();
  }

  /** With the write lock held: moves on an index that is being filled. */
  moveIndex(index: Index): void {
    this.#putIndex(index);
    if (index.state === 'live') this.#sql.raise.run();
  }

  /** With the write lock held: attachments were removed. */
  detached(): void {
    this.#sql.attached.run();
  }

  #write({ raises, last, keyings = [], definitions = [], indexes = [], removed = [] }: RegistryChange): void {
    for (const keying of keyings) this.#putKeying(keying);
    for (const definition of definitions) this.#putDefinition(definition);
    for (const index of indexes) this.#putIndex(index);
    for (const number of removed) {
      this.#sql.dropDefinition.run(number);
      this.#sql.dropIndex.run(number);
    }
    if (definitions.length + removed.length > 0) {
      this.#sql.addSets.run(Buffer.from(GENESIS_HASH, 'hex'));
      this.#sql.dropSets.run();
    }
    this.#sql.last.run(last);
    if (raises) this.#sql.raise.run();
  }

  #putKeying({ name, collection, key, definition, state, filled }: Keying): void {
    this.#sql.keying.run(name, collection, JSON.stringify(key), definition ?? null, state, filled);
  }

  #putDefinition({ id, collection, definition, handled, keying, set, rebuilt, rebuildNote, usedAt }: Definition): void {
    const list = JSON.stringify(handled);
    const rebuild = [rebuilt ?? null, rebuildNote ?? null];
    this.#sql.definition.run(id, collection, definition, list, keying, set, ...rebuild, usedAt);
  }

  #putIndex({ number, set, fields, state, filled, usedAt }: Index): void {
    this.#sql.index.run(number, set, JSON.stringify(fields), state, filled ?? null, usedAt);
  }
}
