/**
 * The append: stored whole, or refused whole with all that stands in its way. Runs without a pause while the write lock
 * is held, so nothing comes between the checks and the write.
 */
import { assertBatch } from '../batch.ts';
import { refuseTimesAhead } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { Room } from '../room.ts';
import { chainHash, GENESIS_HASH } from '../chain.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../store.ts';
import type {
  Appended,
  Batch,
  Commit,
  DocumentRef,
  DocumentVersion,
  LogPoint,
  NewEvent,
  Refused,
  Stored,
  StoredCommit,
} from '../store.ts';
import { countWhile, endOf, findDocument, fitting } from './schema.ts';
import type { DocumentRow, Log } from './schema.ts';
import { addType, dropTypes } from './types.ts';

/** Answers a batch in the order that the contract gives. If it throws, nothing is stored either. */
export function append(log: Log, batch: Batch, clock: Clock): Appended {
  assertBatch(batch);
  if (!holds(log, batch.seen)) return { status: 'diverged' };
  if (batch.generation !== log.registry.generation) return { status: 'behind' };
  if (batch.reads.some((read) => read.version > headOf(log, read))) return { status: 'diverged' };
  const room = new Room(LOAD_EVENTS_MAX);
  const stale = batch.reads.flatMap((read) => staleness(log, batch, read, room));
  const duplicates = batch.commits.map(({ command }) => command.id).filter((id) => log.ledger.get(id)?.at(-1)?.final);
  if (stale.length > 0 || duplicates.length > 0) return { status: 'refused', end: endOf(log), stale, duplicates };
  const { recordedAt } = endOf(log);
  const now = clock.read(recordedAt);
  refuseTimesAhead(batch.commits, recordedAt, now, clock.aheadMs);
  return store(log, batch, now);
}

/** Whether a commit of the log ends at this position, with this hash. */
function holds(log: Log, seen: LogPoint): boolean {
  if (seen.position === 0) return seen.hash === GENESIS_HASH;
  const end = endOf(log);
  if (end.position === seen.position) return end.hash === seen.hash;
  const commit = log.commits[countWhile(log.commits, ({ position }) => position <= seen.position) - 1];
  if (commit === undefined) return false;
  return commit.position + commit.eventCount - 1 === seen.position && commit.hash === seen.hash;
}

function headOf(log: Log, { collection, id }: DocumentRef): number {
  return findDocument(log, collection, id)?.events.length ?? 0;
}

/** The row of a refusal, if an event of a type that the deciding application handles was attached since. */
function staleness(log: Log, batch: Batch, { collection, id, version }: DocumentVersion, room: Room): Refused['stale'] {
  const row = findDocument(log, collection, id);
  const handled = batch.handled.get(collection);
  if (row === undefined || handled === undefined) return [];
  for (let index = version; index < row.events.length; index++) {
    if (handled.has(row.events[index]!.type)) {
      const events = fitting(row.events, version, version + STALE_EVENTS_MAX, room);
      return [{ collection, id, head: row.events.length, events }];
    }
  }
  return [];
}

function store(log: Log, batch: Batch, now: number): Stored {
  const heads = batch.reads.map((read) => headOf(log, read));
  const commits: { position: number; recordedAt: number; hash: string }[] = [];
  const versions: number[] = [];
  for (const commit of batch.commits) {
    const stored = storeCommit(log, commit, now);
    commits.push({ position: stored.position, recordedAt: stored.recordedAt, hash: stored.hash });
    for (const event of commit.events) {
      for (const version of storeEvent(log, event, stored)) versions.push(version);
    }
  }
  return { status: 'stored', end: endOf(log), commits, versions, heads };
}

function storeCommit(
  log: Log,
  { command, outcome, final, reason, details, time, events, digest }: Commit,
  now: number,
): StoredCommit {
  const previous = endOf(log);
  const position = previous.position + 1;
  const recordedAt = Math.max(now, time, previous.recordedAt);
  const hash = chainHash(previous.hash, position, recordedAt, digest);
  const facts = { command: Object.freeze({ ...command }), outcome, final, reason, details, time };
  const stored = Object.freeze({ ...facts, position, eventCount: events.length, recordedAt, hash });
  log.commits.push(stored);
  const attempts = log.ledger.get(command.id);
  if (attempts === undefined) log.ledger.set(command.id, [stored]);
  else attempts.push(stored);
  return stored;
}

/** Stores the event at the next position, and returns the versions that its documents got by it. */
function storeEvent(log: Log, { type, schemaVersion, json, attachments }: NewEvent, commit: StoredCommit): number[] {
  const position = log.events.length + 1;
  const attached = attachments.map((ref): DocumentVersion => {
    const row = documentRow(log, ref);
    const version = row.events.length + 1;
    row.events.push(Object.freeze({ type, schemaVersion, json, version, position, time: commit.time }));
    return Object.freeze({ collection: ref.collection, id: ref.id, version });
  });
  log.events.push(Object.freeze({ type, schemaVersion, json, position, attachments: Object.freeze(attached), commit }));
  addType(log, type, position, commit.outcome === 'succeeded');
  return attached.map(({ version }) => version);
}

function documentRow(log: Log, { collection, id }: DocumentRef): DocumentRow {
  const ofCollection = log.documents.get(collection) ?? new Map<string, DocumentRow>();
  log.documents.set(collection, ofCollection);
  const known = ofCollection.get(id);
  if (known !== undefined) return known;
  const row: DocumentRow = { number: log.listed.rows.length + 1, collection, id, events: [] };
  ofCollection.set(id, row);
  log.listed.rows.push(row);
  log.listed.sorted = false;
  return row;
}

/** Takes away everything above a position: what an `exclusive` appended before it failed. */
export function undo(log: Log, position: number): void {
  while (log.events.length > position) {
    const event = log.events.pop()!;
    for (const { collection, id } of event.attachments) findDocument(log, collection, id)!.events.pop();
  }
  while ((log.commits.at(-1)?.position ?? 0) > position) {
    const { command } = log.commits.pop()!;
    log.ledger.get(command.id)!.pop();
  }
  dropTypes(log, position);
}
