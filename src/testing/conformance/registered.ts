/** Registers collections as simply as the contract allows: what a store does with a registry doesn't depend on the engine's rules. */
import assert from 'node:assert/strict';
import type { AttachedPage, Definition, Index, Judge, Keying, Registry, Session, Stepped } from '../../store/store.ts';

/** A collection, as a case wants it in the registry. */
export interface CollectionEntry extends Pick<Definition, 'definition' | 'handled'>, Pick<Keying, 'key'> {
  readonly name: string;
}

/** Adds a live keying and a definition for each that isn't there, and replaces what isn't the same. */
export function registering(entries: readonly CollectionEntry[]): Judge {
  return ({ keyings: were, definitions, last }) => {
    let numbers = last;
    const keyings: Keying[] = [];
    const added: Definition[] = [];
    for (const { name, definition, key, handled } of entries) {
      const keying = were.find((one) => one.name === name);
      if (!keying || !isSame(keying.key, key)) keyings.push({ name, collection: name, key, state: 'live', filled: 0 });
      const known = definitions.find((one) => one.collection === name && one.definition === definition);
      if (known && isSame(known.handled, handled)) continue;
      const [id, set] = known ? [known.id, known.set] : [++numbers, ++numbers];
      added.push({ id, collection: name, definition, handled, keying: name, set, usedAt: 0 });
    }
    if (keyings.length + added.length === 0) return undefined;
    return { raises: true, last: numbers, keyings, definitions: added };
  };
}

export function register(session: Pick<Session, 'change'>, entries: readonly CollectionEntry[]): Promise<Registry> {
  return session.change(registering(entries));
}

/** The definition of a collection, of which there is one. */
export function definitionOf({ definitions }: Registry, collection: string): Definition {
  const found = definitions.filter((one) => one.collection === collection);
  assert.equal(found.length, 1, `there is one definition of ${collection}`);
  return found[0]!;
}

/** Adds an index of a set, and raises the generation. */
export async function addIndex(
  session: Pick<Session, 'change'>,
  set: number,
  facts: Pick<Index, 'state'> & Partial<Index>,
): Promise<number> {
  const { last } = await session.change((registry) => {
    const number = registry.last + 1;
    return { raises: true, last: number, indexes: [{ number, set, fields: [`f${number}`], usedAt: 0, ...facts }] };
  });
  return last;
}

/** Adds a keying that is to be filled, without a definition. */
export function addKeying(
  session: Pick<Session, 'change'>,
  name: string,
  facts: Partial<Keying> = {},
): Promise<Registry> {
  const keying = { name, collection: name, key: { fields: ['id'] }, state: 'filling', filled: 0, ...facts } as const;
  return session.change(({ last }) => ({ raises: true, last, keyings: [keying] }));
}

/** Attaches events to documents of a keying, by the registry and the log as they are now unless the page says otherwise. */
export function attach(
  by: Pick<Session, 'exclusive'>,
  page: Partial<AttachedPage> & Pick<AttachedPage, 'keying' | 'to'>,
): Promise<Stepped> {
  return by.exclusive(async (locked) => {
    const [{ generation }, { end: seen }] = [await locked.registry(), await locked.load([])];
    return locked.attach({ generation, from: 0, seen, attachments: [], live: false, ...page });
  });
}

/** Removes definitions and indexes. */
export function remove(session: Pick<Session, 'change'>, ...removed: readonly number[]): Promise<Registry> {
  return session.change(({ last }) => ({ raises: true, last, removed }));
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
