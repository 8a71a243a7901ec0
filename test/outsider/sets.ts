/** Stored documents of an outsider's log, and their indexes: pure functions of what was there before. */
import { Buffer } from 'node:buffer';
import {
  changedBy,
  GENESIS_HASH,
  hasSet,
  pageRows,
  Room,
  type IdsRange,
  type IndexedPage,
  type IndexEntry,
  type IndexKey,
  type KeyRange,
  type SetStep,
  type StoredDocument,
  type StoredPage,
  type Stepped,
} from 'tidemark/store';
import { holds, type DocumentSet, type State } from './state.ts';

const NEW: DocumentSet = { place: { position: 0, hash: GENESIS_HASH }, documents: new Map() };

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');

/** Undefined if it isn't registered. */
export function setOf({ registry, sets }: State, set: number): DocumentSet | undefined {
  return hasSet(registry, set) ? (sets.get(set) ?? NEW) : undefined;
}

export function advanced(state: State, step: SetStep): { readonly state: State; readonly answer: Stepped } {
  const { set, generation, from, to, seen, documents, dropped, added } = step;
  if (to.position > seen.position || !holds(state, seen)) return { state, answer: 'diverged' };
  const before = generation === state.registry.generation ? setOf(state, set) : undefined;
  if (!before) return { state, answer: 'behind' };
  const { place } = before;
  if (place.position !== from.position || place.hash !== from.hash) return { state, answer: 'moved' };
  const stored = new Map(before.documents);
  for (const one of documents) stored.set(one.id, Object.freeze({ ...one }));
  const sets = new Map(state.sets).set(set, { place: { position: to.position, hash: to.hash }, documents: stored });
  const own = state.registry.indexes.filter((one) => one.set === set).map(({ number }) => number);
  return { state: { ...state, sets, indexes: indexed(state, own, dropped, added) }, answer: 'stored' };
}

function indexed(
  { indexes }: State,
  numbers: readonly number[],
  dropped: readonly IndexKey[],
  added: readonly IndexEntry[],
): State['indexes'] {
  const after = new Map(indexes);
  for (const number of numbers) {
    const entries = new Map(indexes.get(number));
    for (const { index, key } of dropped) if (index === number) entries.delete(hex(key));
    for (const { index, key, id } of added) if (index === number) entries.set(hex(key), id);
    after.set(number, entries);
  }
  return after;
}

export function indexFilled(state: State, page: IndexedPage): State | undefined {
  const { index, from, to, entries, live } = page;
  const known = state.registry.indexes.find(({ number }) => number === index);
  if (known?.state !== 'filling' || known.filled !== from) return undefined;
  const { filled: _, ...facts } = known;
  const moved = live ? { ...facts, state: 'live' as const } : { ...facts, filled: to };
  const registry = changedBy(state.registry, { raises: live, last: state.registry.last, indexes: [moved] });
  return { ...state, registry, indexes: indexed(state, [index], [], entries) };
}

export function stored(state: State, range: IdsRange | KeyRange): StoredPage | undefined {
  const set = setOf(state, range.set);
  if (!set) return undefined;
  if ('ids' in range) {
    const known = range.ids.flatMap((id) => set.documents.get(id) ?? []);
    return paged(set, known, Infinity);
  }
  const { index, from, below, reverse, limit, failed = false } = range;
  const known = state.registry.indexes.find(({ number }) => number === index);
  if (index !== undefined && (known?.set !== range.set || known.state !== 'live')) return undefined;
  const all: readonly Keyed[] =
    index === undefined
      ? [...set.documents.values()].filter((one) => (one.failed !== undefined) === failed).map(byId)
      : [...(state.indexes.get(index) ?? [])].map(([key, id]) => [Buffer.from(key, 'hex'), set.documents.get(id)!]);
  const inRange = all
    .filter(([key]) => (!from || Buffer.compare(key, from) >= 0) && (!below || Buffer.compare(key, below) < 0))
    .sort(([one], [other]) => Buffer.compare(one, other))
    .map(([, document]) => document);
  return paged(set, reverse ? inRange.reverse() : inRange, pageRows(limit));
}

type Keyed = readonly [key: Uint8Array, document: StoredDocument];

function byId(document: StoredDocument): Keyed {
  return [Buffer.from(document.id), document];
}

function paged({ place }: DocumentSet, asked: readonly StoredDocument[], limit: number): StoredPage {
  const room = new Room(limit);
  const full = asked.findIndex(({ state }) => !room.take(state));
  return { place, documents: full < 0 ? asked : asked.slice(0, full), more: full >= 0 };
}
