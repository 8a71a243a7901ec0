/**
 * What happens to the registry when code asks for its collections: rules of its own, one pure function for all stores, which they
 * run under their write lock.
 *
 * Documents belong to a definition: its number together with the types that its reducers handle; an older release beside a newer
 * one has fewer, and so a definition of its own. What events are attached to belongs to a keying: definitions of one key share it.
 */
import { Buffer } from 'node:buffer';
import { LogCorrupt, RebuildRequired, type DefinitionChanged } from '../../errors.ts';
import { functionTypes, type DeclaredKey } from '../../model/key.ts';
import type { Definition, Index, Judge, Keying, LogFacts, Registry, RegistryChange } from '../../store/store.ts';
import {
  differenceOf,
  functionTaken,
  keyChanged,
  listed,
  needsFilling,
  nextDefinition,
  typesChanged,
  typesHeld,
  typesOf,
} from './difference.ts';

/** A collection as the caller's code has it. */
export interface CollectionEntry {
  readonly name: string;
  readonly definition: number;
  readonly key: DeclaredKey;
  /** The event types that its reducers handle: a set. */
  readonly handled: readonly string[];
  readonly indexes: readonly (readonly string[])[];
}

/**
 * How documents may be made that the log doesn't have yet: `online`, while others work; `before`, before `open` returns; or not at
 * all.
 */
export type Definitions = 'online' | 'before' | 'refuse';

export interface RegisteringOptions {
  readonly definitions: Definitions;
  /** The time of the log: `recordedAt` of its last commit. */
  readonly now: number;
}

/**
 * Registers collections, all or none, one after the other:
 *
 * 1. A definition that is registered is used. Indexes that it doesn't have are added, and filled.
 * 2. Under a registered number the key stays as it is, and types may be added that the log has never held; an older release has
 *    fewer. Anything else is `DefinitionChanged`. (If its documents were never ready, it is replaced instead.)
 * 3. Another number with a key that is registered needs no attaching.
 * 4. Any other key gets a keying of its own. It is live at once if the log holds nothing that it could attach.
 *
 * @throws DefinitionChanged; RebuildRequired if documents would have to be made, and mustn't be
 */
export function registering(entries: readonly CollectionEntry[], options: RegisteringOptions): Judge {
  return (registry, log) => {
    const growth = new Growth(registry, log, options);
    for (const entry of entries) growth.add(stored(entry));
    return growth.change;
  };
}

/** A definition's row for exactly this code; undefined if there is none. */
export function definitionOf({ definitions }: Registry, { name, definition, handled }: Code): Definition | undefined {
  const text = JSON.stringify(sorted(handled));
  return definitions.find((one) => {
    return one.collection === name && one.definition === definition && JSON.stringify(one.handled) === text;
  });
}

type Code = Pick<CollectionEntry, 'name' | 'definition'> & { readonly handled: Iterable<string> };

/** What separates a collection's name from the number of a later keying. No name of a user's has it. */
export const KEYING_MARK = '\u001f';

class Growth {
  readonly #registry: Registry;
  readonly #log: LogFacts;
  readonly #options: RegisteringOptions;
  readonly #keyings: Map<string, Keying>;
  readonly #definitions: Map<number, Definition>;
  readonly #written = { keyings: new Set<string>(), definitions: new Set<number>(), indexes: [] as Index[] };
  readonly #removed: number[] = [];
  #last: number;
  #raises = false;

  constructor(registry: Registry, log: LogFacts, options: RegisteringOptions) {
    this.#registry = registry;
    this.#log = log;
    this.#options = options;
    this.#keyings = new Map(registry.keyings.map((keying) => [keying.name, keying]));
    this.#definitions = new Map(registry.definitions.map((definition) => [definition.id, definition]));
    this.#last = registry.last;
    for (const definition of registry.definitions) this.#keyingOf(definition);
  }

  get change(): RegistryChange | undefined {
    const { keyings, definitions, indexes } = this.#written;
    if (keyings.size + definitions.size + indexes.length + this.#removed.length === 0) return undefined;
    return {
      raises: this.#raises,
      last: this.#last,
      keyings: [...keyings].map((name) => this.#keyings.get(name)!),
      definitions: [...definitions].map((id) => this.#definitions.get(id)!),
      indexes,
      removed: this.#removed,
    };
  }

  add(entry: CollectionEntry): void {
    const same = [...this.#definitions.values()].filter(
      ({ collection, definition }) => collection === entry.name && definition === entry.definition,
    );
    if (same.length > 0 && this.#isNeverReady(same[0]!)) {
      if (this.#fault(entry, same) !== undefined) return this.#replace(entry, same);
    }
    if (same.length === 0) return this.#addNumber(entry);
    const fault = this.#fault(entry, same);
    if (fault) throw fault;
    const known = same.find(({ handled }) => JSON.stringify(handled) === JSON.stringify(entry.handled));
    const keying = this.#extended(this.#keyingOf(same[0]!), entry);
    if (known) this.#index(known, entry);
    else
      this.#define(
        entry,
        keying,
        same.some((one) => isWithin(entry.handled, one.handled)),
      );
  }

  /** Why this code can't be the definition that is registered under its number. */
  #fault(entry: CollectionEntry, same: readonly Definition[]): DefinitionChanged | undefined {
    const keying = this.#keyingOf(same[0]!);
    const handled = [...new Set(same.flatMap((one) => one.handled))];
    const { name, definition } = entry;
    const now = { keyings: [...this.#keyings.values()], definitions: [...this.#definitions.values()] };
    const registered = { name, definition, next: nextDefinition(now, name), key: keying.key, handled };
    const { gone, added, otherKey } = differenceOf(registered, entry);
    if (otherKey) return keyChanged(registered, entry);
    const calls = functionTypes(keying.key).filter((type) => functionTypes(entry.key).includes(type));
    const caller = keying.definition;
    if (caller !== undefined && caller !== definition && calls.length > 0)
      return functionTaken(registered, calls, caller);
    if (gone.length > 0 && added.length > 0) return typesChanged(registered, gone, added);
    const held = this.#held(added);
    return held.length > 0 ? typesHeld(registered, added, held) : undefined;
  }

  /** @throws LogCorrupt if the registry doesn't hold it, or it is another collection's */
  #keyingOf({ collection, keying }: Definition): Keying {
    const found = this.#keyings.get(keying);
    if (found?.collection === collection) return found;
    throw new LogCorrupt(
      `The registry is damaged: a definition of ${collection} names a keying that it doesn't hold, or that isn't its own. Run verify.`,
      { collection },
    );
  }

  /** Nobody has had documents of it yet, so nobody misses them. */
  #isNeverReady(definition: Definition): boolean {
    return this.#keyingOf(definition).state === 'filling';
  }

  #replace(entry: CollectionEntry, same: readonly Definition[]): void {
    for (const { id } of same) {
      this.#definitions.delete(id);
      this.#removed.push(id);
    }
    this.#raises = true;
    this.#retire(same[0]!.keying);
    this.#addNumber(entry);
  }

  #addNumber(entry: CollectionEntry): void {
    const { name, definition, key } = entry;
    const hasFunction = functionTypes(key).length > 0;
    const keyings = [...this.#keyings.values()].filter((one) => one.collection === name && one.state !== 'retired');
    const shared = hasFunction ? undefined : keyings.find((one) => this.#isSameKey(one, key));
    if (shared) {
      if (!this.#log.isEmpty) this.#assertMayMake(entry, shared);
      return this.#define(entry, this.#extended(shared, entry), false);
    }
    const fills = needsFilling(key, this.#log);
    if (fills) this.#assertMayMake(entry, undefined);
    if (fills && hasFunction && this.#options.definitions !== 'before') throw needsBefore(entry);
    const keying: Keying = {
      name: this.#keyings.has(name) ? `${name}${KEYING_MARK}${this.#number()}` : name,
      collection: name,
      key,
      ...(hasFunction && { definition }),
      state: fills ? 'filling' : 'live',
      filled: 0,
    };
    this.#write(keying);
    this.#raises = true;
    this.#define(entry, keying, false);
  }

  #isSameKey(keying: Keying, key: DeclaredKey): boolean {
    const [one, other] = [
      { key: keying.key, handled: [] },
      { key, handled: [] },
    ];
    const { gone, added, otherKey } = differenceOf(one, other);
    return !otherKey && gone.length === 0 && this.#held(added).length === 0;
  }

  /** The keying, with the types of the key that it lacks: the log has never held them. */
  #extended(keying: Keying, { key, definition }: CollectionEntry): Keying {
    if (!('types' in keying.key) || !('types' in key)) return keying;
    const lacking = typesOf(key).filter((type) => !typesOf(keying.key).includes(type));
    if (lacking.length === 0) return keying;
    const types = { ...keying.key.types, ...Object.fromEntries(lacking.map((type) => [type, key.types[type]!])) };
    const inOrder = Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)));
    const hasFunction = functionTypes({ types: inOrder }).length > 0;
    const extended = { ...keying, key: { types: inOrder }, ...(hasFunction && { definition }) };
    this.#write(extended);
    this.#raises = true;
    return extended;
  }

  /** `isPart`: of one that is registered. Nobody else needs to know it then. */
  #define(entry: CollectionEntry, keying: Keying, isPart: boolean): void {
    const { name, definition, handled } = entry;
    const [id, set] = [this.#number(), this.#number()];
    const usedAt = this.#options.now;
    const defined: Definition = { id, collection: name, definition, handled, keying: keying.name, set, usedAt };
    this.#definitions.set(id, defined);
    this.#written.definitions.add(id);
    if (!isPart) this.#raises = true;
    this.#index(defined, entry, 'live');
  }

  /** Adds the indexes that its sets lack. A new set is empty: it has all entries of any index. */
  #index({ set, rebuilt }: Definition, { indexes }: CollectionEntry, state: Index['state'] = 'filling'): void {
    for (const one of rebuilt === undefined ? [set] : [set, rebuilt]) {
      const ofSet = this.#registry.indexes.filter((index) => index.set === one);
      const known = new Set(ofSet.map(({ fields }) => JSON.stringify(fields)));
      for (const fields of indexes) {
        if (known.has(JSON.stringify(fields))) continue;
        this.#written.indexes.push({ number: this.#number(), set: one, fields, state, usedAt: this.#options.now });
        this.#raises = true;
      }
    }
  }

  /** Nobody attaches to a keying without definitions any more. */
  #retire(name: string): void {
    if ([...this.#definitions.values()].some(({ keying }) => keying === name)) return;
    this.#write({ ...this.#keyings.get(name)!, state: 'retired' });
  }

  #held(types: readonly string[]) {
    return types.flatMap((type) => {
      const position = this.#log.firstOf(type);
      return position === undefined ? [] : [{ type, position }];
    });
  }

  #assertMayMake(entry: CollectionEntry, shared: Keying | undefined): void {
    if (this.#options.definitions !== 'refuse') return;
    const others = [...this.#definitions.values()].filter(({ collection }) => collection === entry.name);
    throw others.length > 0 || shared ? otherDefinition(entry, others) : isNew(entry);
  }

  #write(keying: Keying): void {
    this.#keyings.set(keying.name, keying);
    this.#written.keyings.add(keying.name);
  }

  #number(): number {
    return (this.#last += 1);
  }
}

function isWithin(types: readonly string[], others: readonly string[]): boolean {
  return types.every((type) => others.includes(type));
}

/** A copy by JSON: what is registered is what another process would read. */
function stored({ name, definition, key, handled, indexes }: CollectionEntry): CollectionEntry {
  return { name, definition, key: JSON.parse(JSON.stringify(key)) as DeclaredKey, handled: sorted(handled), indexes };
}

function sorted(types: Iterable<string>): readonly string[] {
  return [...new Set(types)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

// --- Messages ----------------------------------------------------------------------------------------------------------

function isNew({ name }: CollectionEntry): RebuildRequired {
  return new RebuildRequired(
    `The collection ${name} is new, and the log already holds events: its documents have to be made. Open it once with ` +
      "definitions: 'before', or let it be made while the application runs ('online'), or leave it out.",
    { collection: name },
  );
}

function otherDefinition({ name, definition }: CollectionEntry, others: readonly Definition[]): RebuildRequired {
  const registered = others.map((one) => one.definition);
  return new RebuildRequired(
    `The collection ${name} is registered with definition ${registered.join(', ') || 'none'}, and this code has definition ` +
      `${definition}: its documents have to be made again. Open it once with definitions: 'before', or let them be made while ` +
      "the application runs ('online').",
    { collection: name, registered, definition },
  );
}

function needsBefore({ name, definition, key }: CollectionEntry): RebuildRequired {
  const types = functionTypes(key);
  return new RebuildRequired(
    `The key of the collection ${name} is a function for ${listed(types)}, and the log already holds events: only this code ` +
      "can attach them. Open it once with definitions: 'before' (other servers stop then, until they have this code too), or " +
      'declare the key as a template or a path.',
    { collection: name, definition, types },
  );
}
