/** Definitions that nobody uses any more go: by name, or after a day. What they held is swept away later. */
import { InvalidDefinition } from '../../errors.ts';
import { changedBy } from '../../store/registry.ts';
import type { Definition, Index, Judge, Keying, Registry, RegistryChange } from '../../store/store.ts';

/** A collection, or one definition of it. */
export type Retired = string | { readonly collection: string; readonly definition: number };

/** What is used is marked so at most so often, in milliseconds of the log's time. */
export const USED_MS = 3_600_000;

/** How long a definition or an index is kept that no server uses, in milliseconds of the log's time. */
export const UNUSED_MS = 86_400_000;

/** @throws InvalidDefinition */
export function retiredDefinition(given: unknown): Retired {
  if (typeof given === 'string' && given !== '') return given;
  const { collection, definition } = (given ?? {}) as { readonly collection?: unknown; readonly definition?: unknown };
  if (typeof collection === 'string' && Number.isSafeInteger(definition) && (definition as number) > 0) {
    return { collection, definition: definition as number };
  }
  throw new InvalidDefinition("retired takes names of collections, or { collection: 'services', definition: 1 }.", {
    path: 'retired',
  });
}

export function retiring(retired: readonly Retired[]): Judge {
  return (registry) =>
    without(
      registry,
      (one) => retired.some((target) => isMeant(target, one)),
      () => false,
    );
}

/**
 * One judge after the other, in one change: nothing is retired by an application that then can't open.
 */
export function inOrder(first: Judge, second: Judge): Judge {
  return (registry, log) => {
    const one = first(registry, log);
    if (!one) return second(registry, log);
    const other = second(changedBy(registry, one), log);
    return other ? together(one, other) : one;
  };
}

function together(one: RegistryChange, other: RegistryChange): RegistryChange {
  return {
    raises: one.raises || other.raises,
    last: other.last,
    keyings: latest(one.keyings, other.keyings, ({ name }) => name),
    definitions: latest(one.definitions, other.definitions, ({ id }) => id),
    indexes: latest(one.indexes, other.indexes, ({ number }) => number),
    removed: [...(one.removed ?? []), ...(other.removed ?? [])],
  };
}

function latest<T>(rows: readonly T[] = [], later: readonly T[] = [], idOf: (row: T) => string | number): readonly T[] {
  return [...new Map([...rows, ...later].map((row) => [idOf(row), row])).values()];
}

/** `now` is the time of the log: no two clocks are compared. */
export function aging(now: number): Judge {
  const isOld = ({ usedAt }: Used): boolean => usedAt > 0 && now - usedAt > UNUSED_MS;
  return (registry) => {
    const change = without(registry, isOld, isOld);
    const [definitions, indexes] = [dated(registry.definitions, now), dated(registry.indexes, now)];
    if (definitions.length + indexes.length === 0) return change;
    return { raises: false, last: registry.last, ...change, definitions, indexes };
  };
}

/** Before its first commit the log had no time: what was registered then is a day old a day from now. */
function dated<T extends Used>(rows: readonly T[], now: number): readonly T[] {
  if (now === 0) return [];
  return rows.filter(({ usedAt }) => usedAt === 0).map((row) => Object.assign({}, row, { usedAt: now }));
}

interface Used {
  readonly usedAt: number;
}

/** Marks definitions as used, and indexes of theirs: those with these numbers. */
export function using(numbers: ReadonlySet<number>, now: number): Judge {
  const isOld = (number: number, usedAt: number): boolean => numbers.has(number) && now - usedAt >= USED_MS;
  const marked = <T>(row: T): T => Object.assign({}, row, { usedAt: now });
  return ({ definitions, indexes, last }) => {
    const used = definitions.filter(({ id, usedAt }) => isOld(id, usedAt)).map(marked);
    const needed = indexes.filter(({ number, usedAt }) => isOld(number, usedAt)).map(marked);
    if (used.length + needed.length === 0) return undefined;
    return { raises: false, last, definitions: used, indexes: needed };
  };
}

export function isMeant(
  retired: Retired,
  { collection, definition }: Pick<Definition, 'collection' | 'definition'>,
): boolean {
  if (typeof retired === 'string') return retired === collection;
  return retired.collection === collection && retired.definition === definition;
}

function without(
  { keyings, definitions, indexes, last }: Registry,
  goes: (definition: Definition) => boolean,
  drops: (index: Index) => boolean,
): RegistryChange | undefined {
  const left = definitions.filter((one) => !goes(one));
  const sets = new Set(left.flatMap(({ set, rebuilt }) => [set, rebuilt]));
  const gone = indexes.filter((index) => !sets.has(index.set) || drops(index));
  if (left.length === definitions.length && gone.length === 0) return undefined;
  const used = new Set(left.map(({ keying }) => keying));
  const unused = keyings.filter(({ name, state }) => state !== 'retired' && !used.has(name));
  return {
    raises: true,
    last,
    keyings: unused.map((keying): Keying => Object.assign({}, keying, { state: 'retired' as const })),
    removed: [
      ...definitions.filter((one) => !left.includes(one)).map(({ id }) => id),
      ...gone.map((one) => one.number),
    ],
  };
}
