/** The registry: which keyings, definitions and indexes there are, and its generation. */
import { declaredKeyOf, handledOf } from '../../declared-key.ts';
import type { Definition, Index, Judge, Keying, LogFacts, Registry, RegistryChange } from '../../store.ts';
import { int8s } from '../arrays.ts';
import type { Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import { call, type Calls, type Reading } from '../functions.ts';
import { text, whole } from '../values.ts';

/** All in one row, with what must be known of the log: whether it is empty, and the first position of each type. */
const ALL: Reading = {
  name: 'registry_v1',
  takes: '',
  gives: 'bigint, bigint, json, json, json, boolean, json',
  sql: (schema) => {
    const list = (columns: string, from: string, order: string): string =>
      `(SELECT json_agg(json_build_array(${columns}) ORDER BY ${order}) FROM ${schema}.${from})`;
    return `
    SELECT (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation'),
      (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'last'),
      ${list('k.name, k.collection, k.key, k.definition, k.state, k.filled', 'keyings k', 'k.name')},
      ${list(
        'd.id, d.collection, d.definition, d.handled, d.keying, d.document_set, d.rebuilt, d.rebuild_note, d.used_at',
        'definitions d',
        'd.id',
      )},
      ${list('i.number, i.document_set, i.fields, i.state, i.filled, i.used_at', 'indexes i', 'i.number')},
      EXISTS (SELECT FROM ${schema}.commits),
      ${list('n.name, t.position', `types t JOIN ${schema}.names n ON n.number = t.type`, 't.position')}`;
  },
};
export const REGISTRY: readonly Reading[] = [ALL];

type Row = readonly (string | number | null)[];

export class RegistryEntries {
  readonly #call: string;
  readonly #lockTimeoutMs: number;

  /** `schema` is quoted. `lockTimeoutMs`: how long to wait for the lock. */
  constructor(schema: string, lockTimeoutMs: number) {
    this.#call = call(schema, 'change_v1', 7);
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  async registry(query: Calls): Promise<Registry> {
    return (await this.#find(query)).registry;
  }

  /** The registry, if there is nothing to change: then nobody waits for the lock, and the role needs no right to write. */
  async unchangedBy(query: Calls, judge: Judge): Promise<Registry | undefined> {
    const { registry, facts } = await this.#find(query);
    return judge(registry, facts) === undefined ? registry : undefined;
  }

  /**
   * With the write lock held, so that nothing changes between the look and the writing. (To write only if nothing has changed since
   * the look would be one call, but servers that fill a keying in turn could keep it waiting for ever.)
   */
  async change(query: Calls, judge: Judge): Promise<Registry> {
    const { registry, facts } = await this.#find(query);
    const change = judge(registry, facts);
    if (change === undefined) return registry;
    await query(this.#call, [String(this.#lockTimeoutMs), ...parametersOf(change)]);
    return this.registry(query);
  }

  async #find(query: Calls): Promise<{ readonly registry: Registry; readonly facts: LogFacts }> {
    const [row] = await query(ALL);
    const [generation, last, keyings, definitions, indexes, filled, types] = row!;
    const positions = new Map(rowsOf(types) as readonly (readonly [string, number])[]);
    const registry: Registry = {
      generation: whole(generation, 'the generation of the registry'),
      last: whole(last, 'the last number of the registry'),
      keyings: rowsOf(keyings).map(keyingOf),
      definitions: rowsOf(definitions).map(definitionOf),
      indexes: rowsOf(indexes).map(indexOf),
    };
    return { registry, facts: { isEmpty: filled !== 't', firstOf: (type) => positions.get(type) } };
  }
}

function parametersOf({ raises, last, keyings = [], definitions = [], indexes = [], removed = [] }: RegistryChange) {
  return [
    String(raises),
    String(last),
    JSON.stringify(keyings.map(({ key, ...one }) => ({ ...one, key: JSON.stringify(key) }))),
    JSON.stringify(
      definitions.map(({ handled, set, rebuildNote, usedAt, ...one }) => ({
        ...one,
        handled: JSON.stringify(handled),
        document_set: set,
        rebuild_note: rebuildNote,
        used_at: usedAt,
      })),
    ),
    JSON.stringify(
      indexes.map(({ fields, set, usedAt, ...one }) => ({
        ...one,
        fields: JSON.stringify(fields),
        document_set: set,
        used_at: usedAt,
      })),
    ),
    int8s(removed),
  ];
}

function rowsOf(json: Value | undefined): readonly Row[] {
  return JSON.parse(json ?? '[]') as readonly Row[];
}

const KEYING_STATES = ['filling', 'live', 'retired'] as const;
const INDEX_STATES = ['filling', 'live'] as const;

function keyingOf([name, collection, key, definition, state, filled]: Row): Keying {
  const where = { keying: name };
  return {
    name: text(name as Value, 'a name', where),
    collection: text(collection as Value, 'a collection', where),
    key: declaredKeyOf(text(key as Value, 'a declared key', where), (what) => corrupt(what, where)),
    ...(definition !== null && { definition: whole(definition, 'a definition', where) }),
    state: oneOf(KEYING_STATES, state, where),
    filled: whole(filled, 'a position', where),
  };
}

function definitionOf([id, collection, definition, handled, keying, set, rebuilt, note, usedAt]: Row): Definition {
  const where = { collection, definition };
  return {
    id: whole(id, 'the id of a definition', where),
    collection: text(collection as Value, 'a collection', where),
    definition: whole(definition, 'a definition', where),
    handled: handledOf(text(handled as Value, 'a list of types', where), (what) => corrupt(what, where)),
    keying: text(keying as Value, 'a keying', where),
    set: whole(set, 'a set', where),
    ...(rebuilt !== null && { rebuilt: whole(rebuilt, 'a set', where) }),
    ...(note !== null && { rebuildNote: text(note as Value, 'a note', where) }),
    usedAt: whole(usedAt, 'a time', where),
  };
}

function indexOf([number, set, fields, state, filled, usedAt]: Row): Index {
  const where = { index: number };
  return {
    number: whole(number, 'the number of an index', where),
    set: whole(set, 'a set', where),
    // A list of texts too.
    fields: handledOf(text(fields as Value, 'a list of fields', where), () =>
      corrupt('its fields aren’t valid', where),
    ),
    state: oneOf(INDEX_STATES, state, where),
    ...(filled !== null && { filled: text(filled as Value, 'an id', where) }),
    usedAt: whole(usedAt, 'a time', where),
  };
}

function oneOf<State extends string>(
  states: readonly State[],
  given: Row[number] | undefined,
  where: Readonly<Record<string, unknown>>,
): State {
  const found = states.find((state) => state === given);
  if (found === undefined) throw corrupt("a state isn't valid", where);
  return found;
}
