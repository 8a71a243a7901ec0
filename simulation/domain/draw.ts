/** Draws domains and inputs by a seed. */
import type { Chance } from '../../src/testing/conformance/random.ts';
import {
  attachable,
  POISONS,
  typeNames,
  type CollectionShape,
  type DefinitionShape,
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

/** `grows`: its releases differ in their definitions alone, most of which have other keys. */
export function drawDomain(chance: Chance, { grows }: { readonly grows: boolean }): DomainShape {
  const types: TypeShape[] = Array.from({ length: 1 + chance.below(3) }, (_, n) => ({
    name: `E${n}`,
    fields: [...chance.some(ID_FIELDS), ...(chance.once(3) ? (['lines'] as const) : [])],
  }));
  const declaresFailure = chance.once(3);
  const all = typeNames({ types, declaresFailure, collections: [], releases: [] });
  // With functions, only servers that have all of them go on.
  const mayCall = !grows && chance.once(4);
  const collections: CollectionShape[] = Array.from({ length: 1 + chance.below(3) }, (_, n) => ({
    name: `c${n}`,
    definitions: drawDefinitions(chance, types, { mayCall, grows }),
  }));
  const full = drawRelease(chance, collections, { knows: all });
  const others = Array.from({ length: grows ? 3 : chance.below(4) }, (): ReleaseShape => {
    if (grows) return drawRelease(chance, collections, { knows: all, raises: true });
    const missing = chance.once(2) ? chance.pick(types).name : undefined;
    const knows = all.filter((type) => type !== missing);
    // As it was before the full one: it lacks a type, and nothing else.
    if (chance.once(3)) return drawRelease(chance, collections, { knows });
    // As it is after it: some of its definitions are raised, and nothing else.
    if (chance.once(2)) return drawRelease(chance, collections, { knows: all, raises: true });
    const kept = collections.filter(() => !chance.once(4));
    const some = kept.length > 0 ? kept : collections;
    return drawRelease(chance, some, { knows, types: () => chance.some(knows), raises: chance.once(3) });
  });
  return { types, declaresFailure, collections, releases: [full, ...others] };
}

/** The first, and others that a release may have raised it to: with other reducers, another key, or both. */
function drawDefinitions(
  chance: Chance,
  types: readonly TypeShape[],
  { mayCall, grows }: { readonly mayCall: boolean; readonly grows: boolean },
): DefinitionShape[] {
  const definitions: DefinitionShape[] = [{ key: drawKey(chance, types, mayCall), salt: 0, marked: chance.once(3) }];
  const isEnough = (): boolean => definitions.length >= 4 || (!grows && chance.once(3));
  while (!isEnough()) {
    const { key, salt } = chance.pick(definitions);
    const isOther = grows ? !chance.once(4) : chance.once(2);
    definitions.push({
      key: isOther ? drawKey(chance, types, mayCall && chance.once(3)) : key,
      salt: isOther && chance.once(2) ? salt : salt + 1 + chance.below(9),
      marked: chance.once(3),
    });
  }
  return definitions;
}

interface Drawn {
  readonly knows: readonly string[];
  readonly types?: () => readonly string[];
  readonly raises?: boolean;
}

function drawRelease(
  chance: Chance,
  collections: readonly CollectionShape[],
  { knows, types = () => knows, raises = false }: Drawn,
): ReleaseShape {
  const numbers = collections.map(({ name, definitions }) => {
    return [name, raises && !chance.once(3) ? 1 + chance.below(definitions.length) : 1] as const;
  });
  const handles = collections.map(({ name, definitions }, index) => {
    return [name, attachable(definitions[numbers[index]![1] - 1]!.key, types())] as const;
  });
  return {
    knows,
    handles: Object.fromEntries(handles),
    definitions: Object.fromEntries(numbers),
    indexes: chance.some([[], ['count'], ['hash'], ['count', 'hash']]).filter(({ length }) => length > 0),
    freezes: chance.once(3),
  };
}

function drawKey(chance: Chance, types: readonly TypeShape[], mayCall: boolean): KeyShape {
  if (chance.once(2)) return { fields: [chance.pick(ID_FIELDS), ...chance.some(ID_FIELDS)] };
  const parts = types.map(({ name }): [string, KeyPart] => {
    switch (mayCall ? chance.below(5) : 1 + chance.below(4)) {
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
