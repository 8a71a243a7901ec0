/**
 * Append: the checks in the order of the contract, then only inserts.
 *
 * The caller has begun a transaction with the write lock. It commits what is `stored`, and rolls back everything else.
 */
import type { DatabaseSync } from 'node:sqlite';
import { hasCode, LogCorrupt } from '../../../errors.ts';
import { assertBatch } from '../../batch.ts';
import { refuseTimesAhead, type Clock } from '../../clock.ts';
import { standing } from '../../ground.ts';
import { Room } from '../../room.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../store.ts';
import type { Appended, Batch, DocumentEvent, LogEnd, StaleDocument } from '../../store.ts';
import { one } from '../connecting/connection.ts';
import type { Commits } from '../reading/commits.ts';
import type { Loader } from '../reading/load.ts';
import type { Heads } from './heads.ts';
import type { Interned } from './interned.ts';
import type { RegistryEntries } from './registry.ts';
import { BatchRows } from './rows.ts';

/** What an append needs of its connection. */
interface Parts {
  readonly interned: Interned;
  readonly registry: RegistryEntries;
  readonly loader: Loader;
  readonly commits: Commits;
  readonly heads: Heads;
  readonly clock: Clock;
}

export class Appender {
  readonly #handledAbove;
  readonly #parts: Parts;
  readonly #rows: BatchRows;

  constructor(database: DatabaseSync, parts: Parts) {
    this.#handledAbove = database.prepare(
      `SELECT 1 FROM attachments WHERE document = ? AND version > ?
       AND type IN (SELECT number FROM names WHERE name IN (SELECT value FROM json_each(?))) LIMIT 1`,
    );
    this.#parts = parts;
    this.#rows = new BatchRows(database, parts.interned, parts.heads);
  }

  /** Looks for duplicates first, so that a refusal leaves the transaction as it was. */
  append(batch: Batch): Appended {
    return this.#append(batch, true)!;
  }

  /** Finds duplicates by the unique key: undefined if there is one. Then the transaction must be rolled back. */
  tryAppend(batch: Batch): Appended | undefined {
    return this.#append(batch, false);
  }

  #append(batch: Batch, lookFirst: boolean): Appended | undefined {
    assertBatch(batch);
    const { clock, commits, registry } = this.#parts;
    const end = commits.end();
    const { seen } = batch;
    if (seen.position === end.position ? seen.hash !== end.hash : !commits.holds(seen)) return { status: 'diverged' };
    const { generation, attached } = registry.marks();
    if (batch.generation !== generation) return { status: 'behind' };

    this.#parts.heads.follow(end, attached);
    const { heads, rows, stale } = this.#groundOf(batch);
    if (batch.reads.some(({ version }, row) => version > heads[row]!)) return { status: 'diverged' };
    // The unique key doesn't find duplicates of commits that aren't final; and a commit that falls may make others fall.
    const looks = lookFirst || stale.length > 0 || batch.commits.some((commit) => !commit.final);
    const ids = batch.commits.map((commit) => commit.command.id);
    const duplicates = looks ? commits.finals(ids, end.position) : [];
    const stands = standing(batch, rows, duplicates);
    const kept = batch.commits.filter((_, index) => stands[index]);
    if (kept.length === 0) return { status: 'refused', end, heads, stale, duplicates };

    let now: number;
    try {
      now = clock.read(end.recordedAt);
      refuseTimesAhead(kept, end.recordedAt, now, clock.aheadMs);
    } catch (error) {
      // A duplicate falls, also if its time is ahead.
      if (!looks && commits.finals(ids, end.position).length > 0) return undefined;
      throw error;
    }
    const inserted = this.#rows.insert(kept, end, now);
    if ('taken' in inserted) {
      if (!looks) return undefined;
      throw damagedIndex(end, inserted.taken);
    }
    let next = 0;
    const stored = stands.map((stands) => (stands ? inserted.commits[next++] : undefined));
    const { versions } = inserted;
    return { status: 'stored', end: inserted.end, heads, stale, duplicates, commits: stored, versions };
  }

  /** By row of `reads`: the heads, which rows are stale, and the documents of these. */
  #groundOf({ reads, handled }: Batch) {
    const rows: number[] = [];
    const stale: StaleDocument[] = [];
    const room = new Room(LOAD_EVENTS_MAX);
    const heads = reads.map(({ collection, id, version }, row) => {
      const document = this.#parts.interned.documentNumber(collection, id);
      const head = document === undefined ? 0 : this.#parts.heads.get(document);
      if (document === undefined || head <= version) return head;
      const types = handled.get(collection);
      if (types === undefined || one(this.#handledAbove, document, version, typeList(types)) === undefined) return head;
      rows.push(row);
      stale.push({ collection, id, head, events: this.#eventsAbove(document, version, head, room) });
      return head;
    });
    return { heads, rows, stale };
  }

  /** No events of a damaged document: `load` reports it, and commits that don't rest on it are stored. */
  #eventsAbove(document: number, version: number, head: number, room: Room): readonly DocumentEvent[] {
    try {
      return this.#parts.loader.events(document, version, Math.min(head, version + STALE_EVENTS_MAX), room);
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      return [];
    }
  }
}

function damagedIndex({ position }: LogEnd, cause: unknown): LogCorrupt {
  return new LogCorrupt(
    'The index of the ledger is damaged: it holds a command that the log doesn’t hold. Run verify before you go on.',
    { position },
    cause,
  );
}

// `handled` is the same object from batch to batch, so each text is made once.
const typeLists = new WeakMap<ReadonlySet<string>, string>();

function typeList(types: ReadonlySet<string>): string {
  let list = typeLists.get(types);
  if (list === undefined) typeLists.set(types, (list = JSON.stringify([...types])));
  return list;
}
