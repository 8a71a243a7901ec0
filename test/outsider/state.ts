/** What an outsider's log holds, and what becomes of a batch: pure functions of what was there before. */
import {
  assertBatch,
  chainHash,
  GENESIS_HASH,
  LOAD_EVENTS_MAX,
  refuseTimesAhead,
  Room,
  standing,
  STALE_EVENTS_MAX,
  type Appended,
  type Batch,
  type Clock,
  type Commit,
  type DocumentEvent,
  type DocumentRef,
  type HeldType,
  type LogEnd,
  type LogPoint,
  type Registry,
  type StoredAt,
  type StoredCommit,
  type StoredDocument,
  type StoredEvent,
} from 'tidemark/store';

/** Never changed: an append makes another. */
export interface State {
  readonly registry: Registry;
  readonly commits: readonly StoredCommit[];
  readonly events: readonly StoredEvent[];
  /** Of documents, by {@link nameOf}: the same as long as the log lives. */
  readonly numbers: ReadonlyMap<string, number>;
  /** By number. */
  readonly sets: ReadonlyMap<number, DocumentSet>;
  /** Index → key, in hexadecimal digits → id. */
  readonly indexes: ReadonlyMap<number, ReadonlyMap<string, string>>;
}

export interface DocumentSet {
  readonly place: LogPoint;
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

export const EMPTY: State = {
  registry: { generation: 0, last: 0, keyings: [], definitions: [], indexes: [] },
  commits: [],
  events: [],
  numbers: new Map(),
  sets: new Map(),
  indexes: new Map(),
};

export interface Row extends DocumentRef {
  readonly number: number;
  readonly events: DocumentEvent[];
}

/** What can be told from the events, made once for each state. */
interface Index {
  readonly rows: ReadonlyMap<string, Row>;
  readonly types: ReadonlyMap<string, HeldType>;
}
const indexes = new WeakMap<State, Index>();

export const nameOf = ({ collection, id }: DocumentRef): string => `${collection}\0${id}`;

export function indexOf(state: State): Index {
  const known = indexes.get(state);
  if (known) return known;
  const rows = new Map<string, Row>();
  const types = new Map<string, HeldType>();
  for (const { type, schemaVersion, json, position, attachments, commit } of state.events) {
    const held = types.get(type) ?? { type, position };
    const succeeded = held.succeeded ?? (commit.outcome === 'succeeded' ? position : undefined);
    types.set(type, { ...held, ...(succeeded !== undefined && { succeeded }) });
    for (const { collection, id, version } of attachments) {
      const row = rows.get(nameOf({ collection, id })) ?? {
        number: state.numbers.get(nameOf({ collection, id }))!,
        collection,
        id,
        events: [],
      };
      row.events.push(Object.freeze({ type, schemaVersion, json, version, position, time: commit.time }));
      rows.set(nameOf(row), row);
    }
  }
  const index = { rows, types };
  indexes.set(state, index);
  return index;
}

/** The numbers, with those of documents that have none yet. */
export function numbered(
  { numbers }: State,
  events: readonly { readonly attachments: readonly DocumentRef[] }[],
): State['numbers'] {
  const all = new Map(numbers);
  for (const { attachments } of events)
    for (const name of attachments.map(nameOf)) if (!all.has(name)) all.set(name, all.size + 1);
  return all;
}

export function endOf({ commits, events }: State): LogEnd {
  const last = commits.at(-1);
  return { position: events.length, hash: last?.hash ?? GENESIS_HASH, recordedAt: last?.recordedAt ?? 0 };
}

export function holds({ commits }: State, { position, hash }: LogPoint): boolean {
  if (position === 0) return hash === GENESIS_HASH;
  return commits.some((commit) => commit.hash === hash && commit.position + commit.eventCount - 1 === position);
}

/** As many as there is room for. */
export function fitting<Event extends { readonly json: string; readonly position: number }>(
  events: readonly Event[],
  room: Room,
  attachments: (event: Event) => number = () => 0,
): readonly Event[] {
  const full = events.findIndex((event) => !room.take(event.json, event.position, attachments(event)));
  return full < 0 ? events : events.slice(0, full);
}

export function appended(
  state: State,
  batch: Batch,
  clock: Clock,
): { readonly state: State; readonly answer: Appended } {
  assertBatch(batch);
  if (!holds(state, batch.seen)) return { state, answer: { status: 'diverged' } };
  if (batch.generation !== state.registry.generation) return { state, answer: { status: 'behind' } };
  const { rows } = indexOf(state);
  const found = batch.reads.map((read) => ({ read, events: rows.get(nameOf(read))?.events ?? [] }));
  if (found.some(({ read, events }) => read.version > events.length)) return { state, answer: { status: 'diverged' } };
  const stale = found.flatMap(({ read, events }, row) =>
    events.slice(read.version).some(({ type }) => batch.handled.get(read.collection)?.has(type)) ? [row] : [],
  );
  const final = new Set(state.commits.filter((commit) => commit.final).map(({ command }) => command.id));
  const duplicates = batch.commits.map(({ command }) => command.id).filter((id) => final.has(id));
  const stands = standing(batch, stale, duplicates);
  const room = new Room(LOAD_EVENTS_MAX);
  const judged = {
    heads: found.map(({ events }) => events.length),
    stale: stale.map((row) => {
      const { read, events } = found[row]!;
      const more = fitting(events.slice(read.version, read.version + STALE_EVENTS_MAX), room);
      return { collection: read.collection, id: read.id, head: events.length, events: more };
    }),
    duplicates,
  };
  const end = endOf(state);
  if (!stands.includes(true)) return { state, answer: { status: 'refused', end, ...judged } };
  const now = clock.read(end.recordedAt);
  const kept = batch.commits.filter((_, index) => stands[index]);
  refuseTimesAhead(kept, end.recordedAt, now, clock.aheadMs);
  const stored = storedOf(state, kept, now);
  const places: StoredAt[] = stored.commits.map(({ position, recordedAt, hash }) => ({ position, recordedAt, hash }));
  const next: State = {
    ...state,
    commits: [...state.commits, ...stored.commits],
    events: [...state.events, ...stored.events],
    numbers: numbered(state, stored.events),
  };
  const answer: Appended = {
    status: 'stored',
    end: endOf(next),
    ...judged,
    commits: stands.map((stood) => (stood ? places.shift() : undefined)),
    versions: stored.events.flatMap(({ attachments }) => attachments.map(({ version }) => version)),
  };
  return { state: next, answer };
}

/** Commits and their events, as they come after a state. */
function storedOf(state: State, given: readonly Commit[], now: number): Pick<State, 'commits' | 'events'> {
  const { rows } = indexOf(state);
  const heads = new Map<string, number>();
  const commits: StoredCommit[] = [];
  const events: StoredEvent[] = [];
  let previous = endOf(state);
  for (const { digest, events: added, command, outcome, final, reason, details, time } of given) {
    const position = previous.position + 1;
    const recordedAt = Math.max(now, time, previous.recordedAt);
    const hash = chainHash(previous.hash, position, recordedAt, digest);
    const facts = { command: Object.freeze({ ...command }), outcome, final, reason, details, time };
    const commit = Object.freeze({ ...facts, position, eventCount: added.length, recordedAt, hash });
    commits.push(commit);
    for (const [index, { type, schemaVersion, json, attachments }] of added.entries()) {
      const attached = attachments.map((ref) => {
        const name = nameOf(ref);
        const version = (heads.get(name) ?? rows.get(name)?.events.length ?? 0) + 1;
        heads.set(name, version);
        return Object.freeze({ collection: ref.collection, id: ref.id, version });
      });
      events.push(
        Object.freeze({ type, schemaVersion, json, position: position + index, attachments: attached, commit }),
      );
    }
    previous = { position: position + added.length - 1, hash, recordedAt };
  }
  return { commits, events };
}
