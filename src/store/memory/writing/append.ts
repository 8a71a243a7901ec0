/**
 * The append: stores the commits that stand, and says why the others fall. It runs without a pause while the write lock is held,
 * so nothing comes between the checks and the write.
 */
import { assertBatch } from '../../batch.ts';
import { refuseTimesAhead, type Clock } from '../../clock.ts';
import { standing } from '../../ground.ts';
import { Room } from '../../room.ts';
import { chainHash } from '../../chain.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../store.ts';
import type {
  Appended,
  Batch,
  Commit,
  DocumentVersion,
  NewEvent,
  StaleDocument,
  StoredAt,
  StoredCommit,
} from '../../store.ts';
import { documentRow, endOf, findDocument, fitting, holds, type Log } from '../schema.ts';
import { Types } from '../reading/types.ts';

export class Appender {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #types: Types;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#types = new Types(log);
  }

  /** In the order of the contract. If it throws, nothing is stored. */
  append(batch: Batch): Appended {
    const log = this.#log;
    assertBatch(batch);
    if (!holds(log, batch.seen)) return { status: 'diverged' };
    if (batch.generation !== log.registry.generation) return { status: 'behind' };
    const read = batch.reads.map(({ collection, id }) => findDocument(log, collection, id)?.events ?? []);
    const heads = read.map(({ length }) => length);
    if (batch.reads.some(({ version }, row) => version > heads[row]!)) return { status: 'diverged' };
    const rows = batch.reads.flatMap(({ collection, version }, row) => {
      const handled = batch.handled.get(collection);
      return handled && read[row]!.slice(version).some(({ type }) => handled.has(type)) ? [row] : [];
    });
    const duplicates = batch.commits.map(({ command }) => command.id).filter((id) => log.ledger.get(id)?.at(-1)?.final);
    const stands = standing(batch, rows, duplicates);
    const room = new Room(LOAD_EVENTS_MAX);
    const stale = rows.map((row): StaleDocument => {
      const { collection, id, version } = batch.reads[row]!;
      const events = fitting(read[row]!, version, version + STALE_EVENTS_MAX, room);
      return { collection, id, head: heads[row]!, events };
    });
    const judged = { heads, stale, duplicates };
    const kept = batch.commits.filter((_, index) => stands[index]);
    const { recordedAt } = endOf(log);
    if (kept.length === 0) return { status: 'refused', end: endOf(log), ...judged };
    const now = this.#clock.read(recordedAt);
    refuseTimesAhead(kept, recordedAt, now, this.#clock.aheadMs);
    const versions: number[] = [];
    const commits = batch.commits.map((commit, index) =>
      stands[index] ? this.#store(commit, now, versions) : undefined,
    );
    return { status: 'stored', end: endOf(log), ...judged, commits, versions };
  }

  /** Stores a commit, and adds the versions of its attachments. */
  #store(commit: Commit, now: number, versions: number[]): StoredAt {
    const stored = this.#storeCommit(commit, now);
    for (const event of commit.events) {
      for (const version of this.#storeEvent(event, stored)) versions.push(version);
    }
    const { position, recordedAt, hash } = stored;
    return { position, recordedAt, hash };
  }

  #storeCommit({ command, outcome, final, reason, details, time, events, digest }: Commit, now: number): StoredCommit {
    const log = this.#log;
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

  /** Stores the event at the next position, and returns the versions of its attachments. */
  #storeEvent({ type, schemaVersion, json, attachments }: NewEvent, commit: StoredCommit): number[] {
    const { events } = this.#log;
    const position = events.length + 1;
    const attached = attachments.map((ref): DocumentVersion => {
      const row = documentRow(this.#log, ref);
      const version = row.events.length + 1;
      row.events.push(Object.freeze({ type, schemaVersion, json, version, position, time: commit.time }));
      return Object.freeze({ collection: ref.collection, id: ref.id, version });
    });
    events.push(Object.freeze({ type, schemaVersion, json, position, attachments: Object.freeze(attached), commit }));
    this.#types.add(type, position, commit.outcome === 'succeeded');
    return attached.map(({ version }) => version);
  }
}

/** Removes all after a position: what an `exclusive` appended before it failed. */
export function undo(log: Log, position: number): void {
  log.pending.length = 0;
  while (log.events.length > position) {
    const event = log.events.pop()!;
    for (const { collection, id } of event.attachments) findDocument(log, collection, id)!.events.pop();
  }
  while ((log.commits.at(-1)?.position ?? 0) > position) {
    const { command } = log.commits.pop()!;
    log.ledger.get(command.id)!.pop();
  }
  new Types(log).drop(position);
}
