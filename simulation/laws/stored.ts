/**
 * Stored documents, index entries and attachments, against a fold in memory: a set is the fold of the log up to its place by the
 * reducers of its own definition, an index holds the entries of these documents and no others, and a keying has attached what
 * its key finds in the events that it has come to.
 */
import type { Log } from '../../src/store/memory/schema.ts';
import type { Definition, Index, Keying } from '../../src/store/store.ts';
import type { DomainShape } from '../domain/shape.ts';
import type { State } from '../domain/user-code.ts';
import { ownName, registeredOf } from './attach.ts';
import { holds, same } from './broken.ts';
import type { Timeline } from './timeline.ts';

/** A release whose definition of a collection is this one; undefined if none of the domain's is. */
function releaseOf({ own }: Timeline['registered'], shape: DomainShape, { id, collection }: Definition) {
  const found = shape.releases.findIndex((_, release) => own.get(ownName(release, collection))?.id === id);
  return found < 0 ? undefined : found;
}

interface Expected {
  readonly version: number;
  readonly changed: number;
  readonly state: State;
  readonly whole: boolean;
}

/** All sets that are registered, with their indexes. @throws LawBroken */
export function checkStored(timeline: Timeline, shape: DomainShape, log: Log): void {
  timeline.knows(registeredOf(log.registry, shape));
  for (const definition of log.registry.definitions) {
    const release = releaseOf(timeline.registered, shape, definition);
    if (release === undefined) continue;
    const { set, rebuilt } = definition;
    for (const one of rebuilt === undefined ? [set] : [set, rebuilt]) checkSet(timeline, log, definition, one, release);
  }
}

function checkSet(
  timeline: Timeline,
  log: Log,
  { collection, definition }: Definition,
  set: number,
  release: number,
): void {
  const stored = log.sets.get(set);
  const what = `set ${set} of ${collection} (definition ${definition}, release ${release})`;
  const position = stored?.place.position ?? 0;
  holds(6, position <= timeline.length, () => `${what} is at ${position}, beyond the end of the log`);
  const expected = new Map<string, Expected>();
  for (const id of timeline.ids(release, collection, position)) {
    const { whole, point } = timeline.readableAt(release, collection, id, position);
    const { version, changed, state } = point;
    expected.set(id, { version, changed, state, whole });
  }
  const found = [...(stored?.documents ?? [])].map(([id, { version, changed, state, failed }]) => {
    return [id, { version, changed, state: JSON.parse(state) as State, whole: failed === undefined }] as const;
  });
  same(6, inOrder(found), inOrder(expected), () => `${what} at ${position}`);
  for (const index of log.registry.indexes) if (index.set === set) checkIndex(log, index, expected, what);
}

const inOrder = <T>(all: Iterable<readonly [string, T]>): (readonly [string, T])[] =>
  [...all].sort(([one], [other]) => (one < other ? -1 : 1));

/** One that is being filled lacks what comes after the document that filling has come to, unless it has moved since. */
function checkIndex(
  log: Log,
  { number, fields, state, filled }: Index,
  documents: ReadonlyMap<string, Expected>,
  what: string,
): void {
  const found = new Map(
    [...(log.indexes.get(number)?.range(undefined, undefined) ?? [])].map(([key, id]) => [id, key] as const),
  );
  const all = [...(log.indexes.get(number)?.range(undefined, undefined) ?? [])];
  holds(6, found.size === all.length, () => `the index ${fields.join()} of ${what} has two entries of a document`);
  for (const [id, { changed, whole, state: of }] of documents) {
    const has = found.get(id);
    const isFound = changed > 0 && whole;
    const isDue =
      state === 'live' || (filled !== undefined && Buffer.compare(Buffer.from(id), Buffer.from(filled)) <= 0);
    const entry = (): string => `the index ${fields.join()} of ${what} for ${id}`;
    holds(6, !has || isFound, () => `${entry()} has an entry of a document that isn't found`);
    holds(6, has !== undefined || !isFound || !isDue, () => `${entry()} has none`);
    if (has !== undefined) same(6, has, keyOf(of, fields, id), entry);
    found.delete(id);
  }
  holds(6, found.size === 0, () => `the index ${fields.join()} of ${what} has entries of ${[...found.keys()].join()}`);
}

/** The key of a document, in the format that is written down in sort-key.ts; the fields are numbers from 0 on. */
function keyOf(state: State, fields: readonly string[], id: string): string {
  const parts = fields.map((field) => {
    const number = Buffer.alloc(9);
    number[0] = 5;
    number.writeDoubleBE(state[field as 'count' | 'hash'], 1);
    // The sign bit is flipped.
    number[1]! ^= 0x80;
    return number;
  });
  return Buffer.concat([...parts, Buffer.from(id)]).toString('latin1');
}

/** All keyings: each event up to where it has come is attached to what its key finds, with dense versions. @throws LawBroken */
export function checkAttached(timeline: Timeline, shape: DomainShape, log: Log): void {
  timeline.knows(registeredOf(log.registry, shape));
  for (const keyed of timeline.registered.keyings) {
    const { state, filled } = log.registry.keyings.find(({ name }) => name === keyed.name) as Keying;
    const upTo = state === 'live' ? Infinity : filled;
    const expected = new Map(
      [...timeline.documentsOf(keyed)].map(([id, events]) => [
        id,
        events.map(({ position }) => position).filter((position) => position <= upTo),
      ]),
    );
    const ids = new Set([...expected.keys(), ...(log.documents.get(keyed.name)?.keys() ?? [])]);
    for (const id of ids) {
      const events = log.documents.get(keyed.name)?.get(id)?.events ?? [];
      const where = (): string => `the events attached to ${keyed.name} ${id} (${state} up to ${upTo})`;
      same(
        4,
        events.map(({ position }) => position),
        expected.get(id) ?? [],
        where,
      );
      same(
        4,
        events.map(({ version }) => version),
        events.map((_, index) => index + 1),
        where,
      );
      for (const { position, version } of events) {
        const told = log.events[position - 1]!.attachments.filter(
          (one) => one.collection === keyed.name && one.id === id,
        );
        same(4, told, [{ collection: keyed.name, id, version }], where);
      }
    }
  }
}
