/** The registry as this application knows it: by what events are attached, and where its own documents are stored. */
import { DomainOutdated, LogCorrupt } from '../../errors.ts';
import { attacher, type Attacher } from '../../model/attach.ts';
import { functionTypes } from '../../model/key.ts';
import type { CollectionDefinition } from '../../model/collection.ts';
import type { Definition, Index, Keying, Registry } from '../../store/store.ts';
import { namesOf, type Names } from './names.ts';
import { definitionOf } from './rules.ts';

export interface Membership {
  readonly generation: number;
  readonly attacher: Attacher;
  /** The event types that collections of any release handle. */
  readonly handled: ReadonlySet<string>;
  readonly names: Names;
  /** What is registered for each collection of this code. */
  readonly own: ReadonlyMap<string, Own>;
  /** The names of the keyings that a definition's number stands for: none if it isn't registered. */
  keyingsOf(collection: string, definition: number): readonly string[];
}

/** A collection of this code's in the registry. */
export interface Own {
  readonly definition: Definition;
  readonly keying: Keying;
  /** Of its set, and of the one that is being made. */
  readonly indexes: readonly Index[];
}

/** Events in which a key of another release found no id although there is something in its place. */
export interface Unattached {
  count: number;
}

export interface MembershipOptions {
  /** The most documents of this code's collections that an event may be attached to. */
  readonly attachmentsMax: number;
  readonly unattached: Unattached;
  /**
   * Whether what is no id attaches nothing by this code's own keys either, where they came later than events: these were attached
   * afterwards, and releases without them may still write.
   */
  readonly isLenient?: boolean | undefined;
}

/**
 * Attaches for every keying that is live: by its declared key if this code doesn't know it (a rolling deploy, a script).
 *
 * @throws DomainOutdated if a keying has a key function that this code doesn't have, or a definition of this code is gone
 * @throws LogCorrupt if the registry can't have been registered so
 */
export function membershipOf(
  registry: Registry,
  collections: ReadonlyMap<string, CollectionDefinition>,
  { attachmentsMax, unattached, isLenient = false }: MembershipOptions,
): Membership {
  for (const keying of registry.keyings) assertOwner(keying);
  const names = namesOf(registry, collections);
  const own = new Map([...collections.values()].map((collection) => [collection.name, ownOf(registry, collection)]));
  const attachable = registry.keyings
    .filter(({ state }) => state === 'live')
    .map((keying) => {
      const { key, collection } = keying;
      const isOwn = own.get(collection)?.keying === keying && !(isLenient && keying.filled > 0);
      const functions = functionsFor(keying, collections.get(collection));
      return { name: names.toEngine(keying.name), collection, key, functions, isOwn };
    });
  return {
    generation: registry.generation,
    attacher: attacher(attachable, { attachmentsMax, unattached: () => (unattached.count += 1) }),
    handled: new Set(registry.definitions.flatMap(({ handled }) => handled)),
    names,
    own,
    keyingsOf: (collection, definition) =>
      registry.definitions
        .filter((one) => one.collection === collection && one.definition === definition)
        .map(({ keying }) => keying),
  };
}

/** The key functions of this code that find a keying's ids: a function serves its own definition alone. */
export function functionsFor(
  { definition }: Keying,
  code: CollectionDefinition | undefined,
): CollectionDefinition['key']['functions'] | undefined {
  return definition === undefined || definition === code?.definition ? code?.key.functions : undefined;
}

function ownOf(registry: Registry, collection: CollectionDefinition): Own {
  const definition = definitionOf(registry, collection);
  const keying = registry.keyings.find(({ name }) => name === definition?.keying);
  if (!definition) throw isGone(collection);
  if (!keying)
    throw damaged(collection.name, `the definition of ${collection.name} names a keying that it doesn't hold`);
  const { set, rebuilt } = definition;
  return { definition, keying, indexes: registry.indexes.filter((one) => one.set === set || one.set === rebuilt) };
}

/** A function is one definition's alone, and what is declared nobody's: it is attached by what the registry says. */
function assertOwner({ collection, key, definition }: Keying): void {
  if ((definition !== undefined) === functionTypes(key).length > 0) return;
  throw damaged(
    collection,
    `a keying of ${collection} is said to be a definition's own, and it isn't, or the other way round`,
  );
}

function damaged(collection: string, what: string): LogCorrupt {
  return new LogCorrupt(`The registry is damaged: ${what}. Run verify.`, { collection });
}

function isGone({ name, definition }: CollectionDefinition): DomainOutdated {
  return new DomainOutdated(
    `The definition ${definition} of the collection ${name} isn't registered any more, as this code has it: another release ` +
      'has retired or replaced it. Nothing can be decided or read by it: deploy the newer code here, or open again to make its ' +
      'documents anew.',
    { collection: name, definition },
  );
}
