/** Draws domains and inputs by a seed. */
import type { Chance } from '../../src/testing/conformance/random.ts';
import {
  attachable,
  POISONS,
  typeNames,
  type CollectionShape,
  type DomainShape,
  type Emit,
  type IdField,
  type Input,
  type KeyPart,
  type KeyShape,
  type ReleaseShape,
  type Twist,
  type TypeShape,
} from './shape.ts';

const ID_FIELDS: readonly IdField[] = ['a', 'b', 'list'];

/** Few ids, so that commands meet; some that sort apart in UTF-16 and UTF-8, or look alike. */
export const IDS: readonly string[] = ['x', 'y', 'z', '\u{1f30a}', '\uff21', 'é', 'e\u0301'];

export function drawDomain(chance: Chance): DomainShape {
  const types: TypeShape[] = Array.from({ length: 1 + chance.below(3) }, (_, n) => ({
    name: `E${n}`,
    fields: [...chance.some(ID_FIELDS), ...(chance.once(3) ? (['lines'] as const) : [])],
  }));
  const declaresFailure = chance.once(3);
  const all = typeNames({ types, declaresFailure, collections: [], releases: [] });
  const collections: CollectionShape[] = Array.from({ length: 1 + chance.below(3) }, (_, n) => ({
    name: `c${n}`,
    key: drawKey(chance, types),
  }));
  const full: ReleaseShape = { knows: all, handles: handling(collections, () => all), freezes: chance.once(3) };
  const others = Array.from({ length: chance.below(3) }, (): ReleaseShape => {
    const missing = chance.once(2) ? chance.pick(types).name : undefined;
    const knows = all.filter((type) => type !== missing);
    const freezes = chance.once(3);
    // As it was before the full one: it lacks a type, and nothing else.
    if (chance.once(3)) return { knows, handles: handling(collections, () => knows), freezes };
    const kept = collections.filter(() => !chance.once(4));
    const some = kept.length > 0 ? kept : collections;
    return { knows, handles: handling(some, () => chance.some(knows)), freezes };
  });
  return { types, declaresFailure, collections, releases: [full, ...others] };
}

function handling(collections: readonly CollectionShape[], types: () => readonly string[]): ReleaseShape['handles'] {
  return Object.fromEntries(collections.map(({ name, key }) => [name, attachable(key, types())]));
}

function drawKey(chance: Chance, types: readonly TypeShape[]): KeyShape {
  if (chance.once(2)) return { fields: [chance.pick(ID_FIELDS), ...chance.some(ID_FIELDS)] };
  const parts = types.map(({ name }): [string, KeyPart] => {
    switch (chance.below(5)) {
      case 0:
        return [name, { calls: chance.pick(['a', 'list', 'parity'] as const) }];
      case 1:
        return [name, ['lines[].ref']];
      case 2:
        return [name, [...new Set([chance.pick(ID_FIELDS), chance.pick(ID_FIELDS)])]];
      default:
        return [name, [chance.pick(ID_FIELDS)]];
    }
  });
  return { types: Object.fromEntries(parts) };
}

const TWISTS: readonly Twist[] = [
  'fail',
  'odd',
  'odd',
  'idle',
  'idle',
  'throw',
  'invalid',
  'unknown',
  'nothing',
  'promise',
];

export function drawInput(chance: Chance, { types, collections }: DomainShape, ids: readonly string[]): Input {
  const id = (): string => chance.pick(ids);
  const collection = (): string => chance.pick(collections).name;
  // Most can take in what only throws at times. A document that has taken in another can't be read any more.
  const poison = chance.once(80) ? chance.pick(POISONS) : chance.once(3) ? 'throws at times' : undefined;
  const emits = Array.from({ length: 1 + chance.below(chance.once(5) ? 4 : 2) }, (): Emit => ({
    type: chance.pick(types).name,
    ...drawFields(chance, id),
    ...(chance.once(2) && { lines: Array.from({ length: chance.below(3) }, id) }),
    n: chance.below(997),
    poison,
  }));
  return {
    ...drawFields(chance, id),
    n: chance.below(100),
    reads: Array.from({ length: chance.below(4) }, () => [collection(), id()] as const),
    ...(chance.once(2) && { further: { collection: collection(), ids: [id(), id()] } }),
    twist: chance.once(4) ? chance.pick(TWISTS) : 'none',
    emits,
  };
}

function drawFields(chance: Chance, id: () => string): Pick<Input, 'a' | 'b' | 'list'> {
  return {
    ...(!chance.once(3) && { a: id() }),
    ...(chance.once(2) && { b: chance.once(4) ? null : id() }),
    ...(chance.once(3) && { list: Array.from({ length: chance.below(4) }, id) }),
  };
}
