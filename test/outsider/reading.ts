/** What an outsider's store answers to those who read: pure functions of a state. */
import { Buffer } from 'node:buffer';
import {
  LOAD_EVENTS_MAX,
  lowerBound,
  PAGE_POSITIONS_MAX,
  pageRows,
  Room,
  upperBound,
  type CommitRange,
  type DocumentHead,
  type DocumentRange,
  type DocumentRef,
  type DocumentsRange,
  type EventPage,
  type HeldType,
  type Loaded,
  type LoadedDocument,
  type LoadOptions,
  type LoadRequest,
  type LogRange,
  type ScanPage,
  type ScanRange,
  type StoredCommit,
  type StoredEvent,
  type TypesRange,
} from 'tidemark/store';
import { endOf, fitting, holds, indexOf, nameOf, type State } from './state.ts';
import { setOf } from './sets.ts';

const attachmentsOf = ({ attachments }: StoredEvent): number => attachments.length;

export function load(state: State, requests: readonly LoadRequest[], options: LoadOptions = {}): Loaded {
  const { rows } = indexOf(state);
  const asOf = upperBound(options.asOf);
  const room = new Room(LOAD_EVENTS_MAX);
  const documents = requests.map(({ after, upTo, set, ...ref }): LoadedDocument => {
    const row = rows.get(nameOf(ref));
    const events = (row?.events ?? []).filter(({ position }) => position <= asOf);
    const head = events.length;
    const [from, last] = [lowerBound(after), Math.min(head, upperBound(upTo))];
    const document = head > 0 ? row!.number : undefined;
    const stored = set === undefined ? undefined : setOf(state, set)?.documents.get(ref.id);
    const isUseful = stored !== undefined && stored.version > from && stored.version <= last;
    if (isUseful && !room.take(stored.state)) return { document, head, events: [] };
    const asked = events.slice(isUseful ? stored.version : from, last);
    return { document, head, ...(isUseful && { stored }), events: fitting(asked, room) };
  });
  const isHeld = options.seen === undefined || holds(state, options.seen);
  return { end: endOf(state), holds: isHeld, generation: state.registry.generation, documents };
}

export function read(state: State, range: LogRange | DocumentRange): EventPage {
  const end = endOf(state);
  if ('document' in range) {
    const after = lowerBound(range.after);
    const versions = indexOf(state).rows.get(nameOf(range.document))?.events ?? [];
    const rows = versions
      .slice(after, after + pageRows(range.limit))
      .map(({ position }) => state.events[position - 1]!);
    const events = fitting(rows, new Room(Infinity), attachmentsOf);
    return { end, events, next: after + events.length < versions.length ? after + events.length : undefined };
  }
  const { after, before, types, reverse = false } = range;
  const [lowest, highest] = [lowerBound(after), upperBound(before && Math.ceil(before) - 1)];
  const inRange = state.events.filter(({ position }) => position > lowest && position <= highest);
  if (reverse) inRange.reverse();
  const looked = inRange.slice(0, PAGE_POSITIONS_MAX);
  const wanted = looked.filter(({ type }) => types?.includes(type) ?? true);
  const events = fitting(wanted.slice(0, pageRows(range.limit)), new Room(Infinity), attachmentsOf);
  const isAll = events.length === wanted.length && looked.length === inRange.length;
  const reached = events.length === wanted.length ? looked.at(-1) : events.at(-1);
  const start = reverse ? highest + 1 : lowest;
  return { end, events, next: isAll ? undefined : (reached?.position ?? start) };
}

export function scan(state: State, { after, limit, known, seen }: ScanRange): ScanPage {
  const { rows } = indexOf(state);
  const end = endOf(state);
  const from = lowerBound(after);
  const page = fitting(state.events.slice(from, from + pageRows(limit)), new Room(Infinity), attachmentsOf);
  const named = new Map<number, DocumentRef & { readonly document: number }>();
  const events = page.map(({ type, schemaVersion, json, position, commit, attachments }) => ({
    type,
    schemaVersion,
    json,
    position,
    time: commit.time,
    attachments: attachments.flatMap(({ version, collection, id }) => {
      const { number } = rows.get(nameOf({ collection, id }))!;
      if (!known(number)) named.set(number, { document: number, collection, id });
      return [number, version];
    }),
  }));
  const reached = from + events.length;
  const isWhole = seen === undefined || holds(state, seen);
  return {
    end,
    holds: isWhole,
    events,
    named: [...named.values()],
    next: reached < end.position ? reached : undefined,
  };
}

export function commits(state: State, range: CommitRange): readonly StoredCommit[] {
  const { recordedBy = Infinity, reverse } = range;
  const [after, upTo] = [lowerBound(range.after), upperBound(range.upTo)];
  const found = state.commits.filter(
    ({ position, recordedAt }) => position > after && position <= upTo && recordedAt <= recordedBy,
  );
  if (reverse) found.reverse();
  return found.slice(0, pageRows(range.limit));
}

export function ledger({ commits }: State, ids: readonly string[]): readonly StoredCommit[] {
  return [...new Set(ids)].flatMap((id) => commits.findLast(({ command }) => command.id === id) ?? []);
}

export function types(state: State, { after, limit }: TypesRange): readonly HeldType[] {
  const from = lowerBound(after);
  return [...indexOf(state).types.values()].filter(({ position }) => position > from).slice(0, pageRows(limit));
}

export function documents(state: State, { after, limit }: DocumentsRange): readonly DocumentHead[] {
  return [...indexOf(state).rows.values()]
    .filter((row) => after === undefined || compared(row, after) > 0)
    .sort(compared)
    .slice(0, pageRows(limit))
    .map(({ collection, id, events }) => ({ collection, id, head: events.length }));
}

function compared(one: DocumentRef, other: DocumentRef): number {
  return bytesOf(one.collection).compare(bytesOf(other.collection)) || bytesOf(one.id).compare(bytesOf(other.id));
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}
