/** The rows of the registry, each checked: attaching and queries rely on them. */
import type { DatabaseSync } from 'node:sqlite';
import { declaredKeyOf, handledOf } from '../../declared-key.ts';
import type { Definition, Index, Keying, Registry } from '../../store.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { isCount, isTextOrNull, isWhole } from '../values.ts';

const KEYING_STATES = ['filling', 'live', 'retired'] as const;
const INDEX_STATES = ['filling', 'live'] as const;

type KeyingRow = readonly [
  name: string,
  collection: string,
  key: string,
  definition: number | null,
  state: string,
  filled: number,
];

type DefinitionRow = readonly [
  id: number,
  collection: string,
  definition: number,
  handled: string,
  keying: string,
  set: number,
  rebuilt: number | null,
  rebuildNote: string | null,
  usedAt: number,
];

type IndexRow = readonly [
  number: number,
  set: number,
  fields: string,
  state: string,
  filled: string | null,
  usedAt: number,
];

export class RegistryRows {
  readonly #sql;

  constructor(database: DatabaseSync) {
    const keyings = 'SELECT name, collection, key, definition, state, filled FROM keyings';
    const indexes = 'SELECT number, document_set, fields, state, filled, used_at FROM indexes';
    this.#sql = {
      last: database.prepare("SELECT value FROM meta WHERE name = 'last'"),
      keyings: database.prepare(`${keyings} ORDER BY name`),
      keying: database.prepare(`${keyings} WHERE name = ?`),
      definitions: database.prepare(
        `SELECT id, collection, definition, handled, keying, document_set, rebuilt, rebuild_note, used_at FROM definitions ORDER BY id`,
      ),
      indexes: database.prepare(`${indexes} ORDER BY number`),
      index: database.prepare(`${indexes} WHERE number = ?`),
    };
  }

  registry(generation: number): Registry {
    const last = one<[number]>(this.#sql.last)?.[0];
    if (!isWhole(last)) throw corrupt("the last number of the registry is missing or isn't valid");
    return {
      generation,
      last,
      keyings: all<KeyingRow>(this.#sql.keyings).map(keyingOf),
      definitions: all<DefinitionRow>(this.#sql.definitions).map(definitionOf),
      indexes: all<IndexRow>(this.#sql.indexes).map(indexOf),
    };
  }

  keying(name: string): Keying | undefined {
    const row = one<KeyingRow>(this.#sql.keying, name);
    return row && keyingOf(row);
  }

  index(number: number): Index | undefined {
    const row = one<IndexRow>(this.#sql.index, number);
    return row && indexOf(row);
  }
}

function keyingOf([name, collection, key, definition, state, filled]: KeyingRow): Keying {
  const named = KEYING_STATES.find((one) => one === state);
  const areValues = typeof name === 'string' && typeof collection === 'string' && isWhole(filled);
  if (named === undefined || !areValues || !(definition === null || isCount(definition))) {
    throw corrupt("a value of a registered keying isn't valid", { keying: name });
  }
  const wrong = (what: string): Error => corrupt(what, { keying: name });
  const numbered = definition === null ? {} : { definition };
  return { name, collection, key: declaredKeyOf(key, wrong), ...numbered, state: named, filled };
}

function definitionOf([id, ...values]: DefinitionRow): Definition {
  const [collection, definition, handled, keying, set, rebuilt, rebuildNote, usedAt] = values;
  const isNoted = rebuildNote === null || typeof rebuildNote === 'string';
  const areTexts = typeof collection === 'string' && typeof keying === 'string' && isNoted;
  const areNumbers = isCount(id) && isCount(definition) && isCount(set) && isWhole(usedAt);
  if (!areTexts || !areNumbers || !(rebuilt === null || isCount(rebuilt))) {
    throw corrupt("a value of a registered definition isn't valid", { collection, definition: id });
  }
  const wrong = (what: string): Error => corrupt(what, { collection, definition: id });
  const types = handledOf(handled, wrong);
  const rebuild = { ...(rebuilt !== null && { rebuilt }), ...(rebuildNote !== null && { rebuildNote }) };
  return { id, collection, definition, handled: types, keying, set, ...rebuild, usedAt };
}

function indexOf([number, set, fields, state, filled, usedAt]: IndexRow): Index {
  const named = INDEX_STATES.find((one) => one === state);
  const areNumbers = isCount(number) && isCount(set) && isWhole(usedAt);
  if (named === undefined || !areNumbers || !isTextOrNull(filled)) {
    throw corrupt("a value of a registered index isn't valid", { index: number });
  }
  // A list of texts, as handled types are.
  const paths = handledOf(fields, () => corrupt("the fields of an index aren't valid", { index: number }));
  return { number, set, fields: paths, state: named, ...(filled !== null && { filled }), usedAt };
}
