/** The sets of stored documents, and their indexes. */
import { Buffer } from 'node:buffer';
import { GENESIS_HASH } from '../../chain.ts';
import { pageRows } from '../../page-bounds.ts';
import { hasSet } from '../../registry.ts';
import { Room } from '../../room.ts';
import type { IdsRange, IndexedPage, KeyRange, SetStep, StoredDocument, StoredPage, Stepped } from '../../store.ts';
import { holds, type DocumentSet, type Log } from '../schema.ts';
import { Keys, textOf } from '../keys.ts';
import type { RegistryEntries } from './registry.ts';

export class Sets {
  readonly #log: Log;
  readonly #registry: RegistryEntries;

  constructor(log: Log, registry: RegistryEntries) {
    this.#log = log;
    this.#registry = registry;
  }

  /** With the write lock held. */
  advance({ set, generation, from, to, seen, documents, dropped, added }: SetStep): Stepped {
    const { registry, indexes } = this.#log;
    if (to.position > seen.position || !holds(this.#log, seen)) return 'diverged';
    const stored = generation === registry.generation ? this.#find(set) : undefined;
    if (!stored) return 'behind';
    if (stored.place.position !== from.position || stored.place.hash !== from.hash) return 'moved';
    stored.place = Object.freeze({ position: to.position, hash: to.hash });
    for (const document of documents) {
      const { id, failed } = document;
      stored.documents.set(id, Object.freeze({ ...document }));
      if (failed === undefined) stored.ids.add(idKey(id), id);
      else stored.ids.drop(idKey(id));
      stored.failed[failed === undefined ? 'delete' : 'add'](id);
    }
    const known = new Set(registry.indexes.filter((index) => index.set === set).map(({ number }) => number));
    for (const { index, key } of dropped) if (known.has(index)) indexes.get(index)?.drop(textOf(key));
    for (const { index, key, id } of added) if (known.has(index)) this.#index(index).add(textOf(key), id);
    return 'stored';
  }

  stored(range: IdsRange | KeyRange): StoredPage | undefined {
    const stored = this.#find(range.set);
    if (!stored) return undefined;
    return 'ids' in range ? byIds(stored, range) : this.#byKeys(stored, range);
  }

  /** The document as it is stored; undefined if it isn't. */
  find(set: number, id: string): StoredDocument | undefined {
    return this.#find(set)?.documents.get(id);
  }

  fillIndex({ index, to, entries, live }: IndexedPage): void {
    const known = this.#log.registry.indexes.find(({ number }) => number === index)!;
    const keys = this.#index(index);
    for (const { key, id } of entries) keys.add(textOf(key), id);
    const moved = { ...known, state: live ? 'live' : 'filling', filled: live ? undefined : to } as const;
    this.#registry.write({ raises: live, last: this.#log.registry.last, indexes: [moved] });
  }

  #find(set: number): DocumentSet | undefined {
    const { registry, sets } = this.#log;
    if (!hasSet(registry, set)) return undefined;
    let found = sets.get(set);
    if (!found) {
      const place = Object.freeze({ position: 0, hash: GENESIS_HASH });
      sets.set(set, (found = { place, documents: new Map(), ids: new Keys(), failed: new Set() }));
    }
    return found;
  }

  #index(number: number): Keys {
    const { indexes } = this.#log;
    let keys = indexes.get(number);
    if (!keys) indexes.set(number, (keys = new Keys()));
    return keys;
  }

  #byKeys(stored: DocumentSet, { set, index, from, below, reverse, limit, failed }: KeyRange): StoredPage | undefined {
    if (index !== undefined) {
      const known = this.#log.registry.indexes.find(({ number }) => number === index);
      if (known?.set !== set || known.state !== 'live') return undefined;
    }
    let keys = index === undefined ? stored.ids : this.#index(index);
    if (failed) {
      keys = new Keys();
      for (const id of stored.failed) keys.add(idKey(id), id);
    }
    const room = new Room(pageRows(limit));
    const documents: StoredDocument[] = [];
    let more = false;
    for (const [, id] of keys.range(from && textOf(from), below && textOf(below), reverse)) {
      const document = stored.documents.get(id)!;
      more = room.rows === 0 || !room.take(document.state);
      if (more) break;
      documents.push(document);
    }
    return { place: stored.place, documents, more };
  }
}

function byIds({ place, documents: all }: DocumentSet, { ids }: IdsRange): StoredPage {
  const room = new Room(ids.length);
  const documents: StoredDocument[] = [];
  for (const id of ids) {
    const document = all.get(id);
    if (!document) continue;
    if (!room.take(document.state)) return { place, documents, more: true };
    documents.push(document);
  }
  return { place, documents, more: false };
}

/** The key of a document in the order of ids, as {@link Keys} holds it. */
const idKey = (id: string): string => Buffer.from(id).toString('latin1');
