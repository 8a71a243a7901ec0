/**
 * The simplest set of stored documents: lists, which each call sorts and searches completely. A random case compares a store with it.
 */
import { Buffer } from 'node:buffer';
import { PAGE_ROWS_MAX } from '../../store/store.ts';
import type { IndexedPage, KeyRange, LogPoint, SetStep, StoredDocument, Stepped } from '../../store/store.ts';
import { GENESIS } from './batches.ts';

interface ModelIndex {
  /** Keys, in hexadecimal digits, which have the same order, with the ids of documents. */
  readonly entries: Map<string, string>;
  /** Undefined once it is live. */
  filling: { readonly to: string | undefined } | undefined;
}

/** A document with its key, in hexadecimal digits. */
export type Keyed = readonly [key: string, document: StoredDocument];

export class SetModel {
  place: LogPoint = GENESIS;
  generation: number;
  readonly documents = new Map<string, StoredDocument>();
  readonly indexes = new Map<number, ModelIndex>();

  constructor(generation: number) {
    this.generation = generation;
  }

  /** `ends`: where the log has ended. */
  advance({ generation, from, to, seen, documents, dropped, added }: SetStep, ends: readonly LogPoint[]): Stepped {
    const isHeld = ends.some(({ position, hash }) => position === seen.position && hash === seen.hash);
    if (!isHeld || to.position > seen.position) return 'diverged';
    if (generation !== this.generation) return 'behind';
    if (from.position !== this.place.position || from.hash !== this.place.hash) return 'moved';
    this.place = to;
    for (const document of documents) this.documents.set(document.id, document);
    for (const { index, key } of dropped) this.indexes.get(index)?.entries.delete(hex(key));
    for (const { index, key, id } of added) this.indexes.get(index)?.entries.set(hex(key), id);
    return 'stored';
  }

  fillIndex({ index, from, to, entries, live }: IndexedPage): boolean {
    const known = this.indexes.get(index);
    if (!known?.filling || known.filling.to !== from) return false;
    for (const { key, id } of entries) known.entries.set(hex(key), id);
    known.filling = live ? undefined : { to };
    if (live) this.generation += 1;
    return true;
  }

  byIds(ids: readonly string[]): Keyed[] {
    return ids.flatMap((id) => {
      const document = this.documents.get(id);
      return document ? [[hex(Buffer.from(id)), document] as const] : [];
    });
  }

  /** Undefined for an index that isn't there or isn't live. */
  byKeys({
    index,
    from,
    below,
    reverse,
    limit,
    failed = false,
  }: Omit<KeyRange, 'set'>): { readonly documents: readonly Keyed[]; readonly more: boolean } | undefined {
    const known = index === undefined ? undefined : this.indexes.get(index);
    if (index !== undefined && (!known || known.filling)) return undefined;
    const all: Keyed[] = known
      ? [...known.entries].map(([key, id]) => [key, this.documents.get(id)!])
      : this.byIds([...this.documents.keys()]).filter(([, one]) => (one.failed !== undefined) === failed);
    const [lowest, highest] = [from && hex(from), below && hex(below)];
    const inRange = all
      .filter(([key]) => (lowest === undefined || key >= lowest) && (highest === undefined || key < highest))
      .sort(([one], [other]) => (one < other ? -1 : 1));
    if (reverse) inRange.reverse();
    const most = Math.min(Math.max(0, Math.floor(limit)), PAGE_ROWS_MAX);
    return { documents: inRange.slice(0, most), more: inRange.length > most };
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
