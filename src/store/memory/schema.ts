/**
 * The shape of what is stored.
 *
 * Everything that a reader can be given is frozen and only ever added at the end, so a reader needs no lock: an end of
 * the log ({@link LogEnd}) is a consistent view of all of it. What lies behind `visible` was appended by an `exclusive`
 * that is still running, and is either published by moving `visible`, or taken away again.
 */
import { GENESIS_HASH } from '../chain.ts';
import type {
  DocumentEvent,
  EventFacts,
  HeldType,
  LogEnd,
  LogPoint,
  Registry,
  StoredCommit,
  StoredEvent,
} from '../store.ts';
import type { Room } from '../room.ts';
import { Turns } from '../turns.ts';
import type { Waiters } from '../waiters.ts';
import { WriteLock } from './writing/lock.ts';

export interface Log {
  readonly lock: WriteLock;
  /** Shared by all sessions, so that none runs ahead of the others. */
  readonly turns: Turns;
  /** Replaced as a whole, never changed. */
  registry: Registry;
  /** In the order of the log. */
  readonly commits: StoredCommit[];
  /** The event at position p has the index p − 1. */
  readonly events: StoredEvent[];
  /** Event types, in the order of their first events. */
  readonly types: Map<string, HeldType>;
  /** Collection → id → document. A row may be left without events by an `exclusive` that was undone. */
  readonly documents: Map<string, Map<string, DocumentRow>>;
  /** The same rows as a list, sorted when somebody asks for it. */
  readonly listed: { rows: DocumentRow[]; sorted: boolean };
  /** Command id → its commits: any number that aren't final, then at most one that is. */
  readonly ledger: Map<string, StoredCommit[]>;
  /** The end of the log for everybody but the holder of the write lock. Moved by {@link publish}. */
  visible: LogEnd;
  /** Of sessions in which somebody waits for it to move. */
  readonly waiters: Set<Waiters>;
}

export interface DocumentRow {
  /** What a scan calls it. */
  readonly number: number;
  readonly collection: string;
  readonly id: string;
  /** The event of version v has the index v − 1. */
  readonly events: DocumentEvent[];
}

const GENESIS: LogEnd = Object.freeze({ position: 0, hash: GENESIS_HASH, recordedAt: 0 });

export function emptyLog(): Log {
  return {
    lock: new WriteLock(),
    turns: new Turns(),
    registry: Object.freeze({ generation: 0, collections: [] }),
    commits: [],
    events: [],
    types: new Map(),
    documents: new Map(),
    listed: { rows: [], sorted: true },
    ledger: new Map(),
    visible: GENESIS,
    waiters: new Set(),
  };
}

/** The end of all that is stored, visible to everybody or not. */
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

/** Lets everybody see all that is stored, and wakes those who wait for that. */
export function publish(log: Log): void {
  log.visible = endOf(log);
  for (const waiters of log.waiters) waiters.wake();
}

export function findDocument(log: Log, collection: string, id: string): DocumentRow | undefined {
  return log.documents.get(collection)?.get(id);
}

/** The document's version as it was at a position. */
export function headAt(row: DocumentRow | undefined, position: number): number {
  if (row === undefined) return 0;
  // Nearly always the log is read at its end, where nothing has to be searched for.
  const last = row.events.at(-1);
  if (last === undefined || last.position <= position) return row.events.length;
  return countWhile(row.events, (event) => event.position <= position);
}

/** How many rows at the start of an ordered list satisfy a condition that, once false, stays false. */
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

/** The events from one index to before another, as far as there is room for them. */
export function fitting<
  T extends EventFacts & { readonly position: number; readonly attachments?: readonly unknown[] },
>(events: readonly T[], from: number, to: number, room: Room): readonly T[] {
  const last = Math.min(to, events.length, from + room.rows);
  let end = from;
  const fits = ({ json, position, attachments }: T): boolean => room.take(json, position, attachments?.length);
  while (end < last && fits(events[end]!)) end += 1;
  return events.slice(from, end);
}
