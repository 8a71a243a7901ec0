/**
 * What is stored, and in which shape.
 *
 * What a reader gets is frozen, and only ever added at the end, so a reader needs no lock: an end of the log ({@link LogEnd})
 * is a consistent view. What lies after `visible` was appended by an `exclusive` that still runs: it is published by moving
 * `visible`, or removed.
 */
import { GENESIS_HASH } from '../chain.ts';
import type { Room } from '../room.ts';
import type {
  DocumentEvent,
  DocumentRef,
  EventFacts,
  HeldType,
  LogEnd,
  LogPoint,
  Registry,
  StoredCommit,
  StoredDocument,
  StoredEvent,
} from '../store.ts';
import { Turns } from '../turns.ts';
import type { Waiters } from '../waiters.ts';
import type { Keys } from './keys.ts';
import { WriteLock } from './writing/lock.ts';

export interface DocumentRow {
  /** The number in scans. */
  readonly number: number;
  readonly collection: string;
  readonly id: string;
  /** The event of version v has the index v − 1. */
  readonly events: DocumentEvent[];
}

/** A set of stored documents. */
export interface DocumentSet {
  place: LogPoint;
  readonly documents: Map<string, StoredDocument>;
  /** Of all documents that haven't failed. */
  readonly ids: Keys;
  readonly failed: Set<string>;
}

const GENESIS: LogEnd = Object.freeze({ position: 0, hash: GENESIS_HASH, recordedAt: 0 });

export type Log = ReturnType<typeof emptyLog>;

export function emptyLog() {
  return {
    lock: new WriteLock(),
    /** Shared by all sessions. */
    turns: new Turns(),
    /** Replaced as a whole, never changed. */
    registry: Object.freeze<Registry>({ generation: 0, last: 0, keyings: [], definitions: [], indexes: [] }),
    /** In the order of the log. */
    commits: [] as StoredCommit[],
    /** The event at position p has the index p − 1. One that was attached to more is replaced. */
    events: [] as StoredEvent[],
    /** By position, of events that were attached to more later: how many attachments they were appended with. */
    appended: new Map<number, number>(),
    /** Event types, in the order of their first events. */
    types: new Map<string, HeldType>(),
    /** Collection → id → document. An `exclusive` that was undone may leave a row without events. */
    documents: new Map<string, Map<string, DocumentRow>>(),
    /** The same rows by their numbers; and the first of them in order, as many as were when that was needed. */
    listed: { rows: [] as DocumentRow[], sorted: [] as readonly DocumentRow[] },
    /** Command id → its commits: any number that aren't final, then at most one that is. */
    ledger: new Map<string, StoredCommit[]>(),
    /** Stored documents, by number of their set. */
    sets: new Map<number, DocumentSet>(),
    /** The entries of indexes, by their number. */
    indexes: new Map<number, Keys>(),
    /** What an `exclusive` that still runs has done beside appending: done when it is over. */
    pending: [] as (() => void)[],
    /** The end of the log for all but the holder of the write lock. Moved by {@link publish}. */
    visible: GENESIS,
    /** Of sessions in which a call waits for it to move. */
    waiters: new Set<Waiters>(),
  };
}

/** The end of all that is stored, visible or not. */
export function endOf(log: Log): LogEnd {
  const last = log.commits.at(-1);
  if (last === undefined) return GENESIS;
  return Object.freeze({ position: log.events.length, hash: last.hash, recordedAt: last.recordedAt });
}

/** Whether a commit of the log ends at this position, with this hash. */
export function holds(log: Log, { position, hash }: LogPoint): boolean {
  if (position === 0) return hash === GENESIS_HASH;
  const commit = log.commits[countWhile(log.commits, (one) => one.position <= position) - 1];
  return commit?.hash === hash && commit.position + commit.eventCount - 1 === position;
}

/** Makes all that is stored visible, and wakes the calls that wait. */
export function publish(log: Log): void {
  for (const work of log.pending.splice(0)) work();
  log.visible = endOf(log);
  for (const waiters of log.waiters) waiters.wake();
}

/** The row of a document, which is made if there is none. */
export function documentRow({ documents, listed }: Log, { collection, id }: DocumentRef): DocumentRow {
  const ofCollection = documents.get(collection) ?? new Map<string, DocumentRow>();
  documents.set(collection, ofCollection);
  const known = ofCollection.get(id);
  if (known !== undefined) return known;
  const row: DocumentRow = { number: listed.rows.length + 1, collection, id, events: [] };
  ofCollection.set(id, row);
  listed.rows.push(row);
  return row;
}

export function findDocument(log: Log, collection: string, id: string): DocumentRow | undefined {
  return log.documents.get(collection)?.get(id);
}

/** The document's version as it was at a position. */
export function headAt(row: DocumentRow | undefined, position: number): number {
  if (row === undefined) return 0;
  // Nearly always the log is read at its end: nothing to search.
  const last = row.events.at(-1);
  if (last === undefined || last.position <= position) return row.events.length;
  return countWhile(row.events, (event) => event.position <= position);
}

/** How many rows at the start of a list meet a condition that, once false, stays false. */
export function countWhile<T>(rows: readonly T[], holds: (row: T) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(rows[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The events from the index `from` to before `to`, as far as there is room. */
export function fitting<
  T extends EventFacts & { readonly position: number; readonly attachments?: readonly unknown[] },
>(events: readonly T[], from: number, to: number, room: Room): readonly T[] {
  const last = Math.min(to, events.length, from + room.rows);
  let end = from;
  const fits = ({ json, position, attachments }: T): boolean => room.take(json, position, attachments?.length);
  while (end < last && fits(events[end]!)) end += 1;
  return events.slice(from, end);
}
