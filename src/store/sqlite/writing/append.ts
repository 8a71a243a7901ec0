/**
 * Append: the checks in the order of the contract, then inserts only.
 *
 * Within a transaction that the caller has begun with the write lock, and ends: it commits what is `stored` and rolls
 * back everything else.
 */
import type { DatabaseSync } from 'node:sqlite';
import { hasCode, LogCorrupt } from '../../../errors.ts';
import { assertBatch } from '../../batch.ts';
import { refuseTimesAhead } from '../../clock.ts';
import type { Clock } from '../../clock.ts';
import { standing } from '../../ground.ts';
import { Room } from '../../room.ts';
import type { Appended, Batch, Commit, DocumentEvent, LogEnd, LogPoint, StaleDocument } from '../../store.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../store.ts';
import { one } from '../connecting/connection.ts';
import type { Commits } from '../reading/commits.ts';
import type { Loader } from '../reading/load.ts';
import type { Heads } from './heads.ts';
import type { Interned } from './interned.ts';
import type { RegistryEntries } from './registry.ts';
import { BatchRows } from './rows.ts';

/** What an append asks, on its connection. */
interface Parts {
  readonly interned: Interned;
  readonly registry: RegistryEntries;
  readonly loader: Loader;
  readonly commits: Commits;
  readonly heads: Heads;
  readonly clock: Clock;
}

/** What the documents that a batch has read are like. */
interface Ground {
  /** By row of `reads`. */
  readonly heads: readonly number[];
  /** Rows of `reads` that are stale, and what there is to say of each. */
  readonly rows: readonly number[];
  readonly stale: readonly StaleDocument[];
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

  /** Looks for duplicates before anything is inserted, so that a refusal leaves the transaction as it was. */
  append(batch: Batch): Appended {
    return this.#append(batch, true)!;
  }

  /** Finds duplicates by the unique key: undefined if there is one. Then the transaction is to be rolled back. */
  tryAppend(batch: Batch): Appended | undefined {
    return this.#append(batch, false);
  }

  #append(batch: Batch, lookFirst: boolean): Appended | undefined {
    assertBatch(batch);
    const { commits, registry } = this.#parts;
    const end = commits.end();
    if (!this.#holds(batch.seen, end)) return { status: 'diverged' };
    if (batch.generation !== registry.generation()) return { status: 'behind' };

    this.#parts.heads.follow(end);
    const { heads, rows, stale } = this.#groundOf(batch);
    if (batch.reads.some(({ version }, row) => version > heads[row]!)) return { status: 'diverged' };
    // A commit that isn't final doesn't meet the unique key of a final one; and what falls may take others with it.
    const looks = lookFirst || stale.length > 0 || batch.commits.some((commit) => !commit.final);
    const ids = batch.commits.map((commit) => commit.command.id);
    const duplicates = looks ? commits.finals(ids, end.position) : [];
    const stands = standing(batch, rows, duplicates);
    const kept = batch.commits.filter((_, index) => stands[index]);
    if (kept.length === 0) return { status: 'refused', end, heads, stale, duplicates };

    let now: number;
    try {
      now = this.#now(kept, end);
    } catch (error) {
      // One that is ahead may have been executed before: then it isn't stored.
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

  #holds(seen: LogPoint, end: LogEnd): boolean {
    return seen.position === end.position ? seen.hash === end.hash : this.#parts.commits.holds(seen);
  }

  #groundOf({ reads, handled }: Batch): Ground {
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

  /** None of a document that is damaged: whoever loads it is told, and what doesn't rest on it is stored. */
  #eventsAbove(document: number, version: number, head: number, room: Room): readonly DocumentEvent[] {
    try {
      return this.#parts.loader.events(document, version, Math.min(head, version + STALE_EVENTS_MAX), room);
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      return [];
    }
  }

  /** @throws ClockAhead */
  #now(commits: readonly Commit[], { recordedAt }: LogEnd): number {
    const { clock } = this.#parts;
    const now = clock.read(recordedAt);
    refuseTimesAhead(commits, recordedAt, now, clock.aheadMs);
    return now;
  }
}

function damagedIndex({ position }: LogEnd, cause: unknown): LogCorrupt {
  return new LogCorrupt(
    'The index of the ledger is damaged: it holds a command that the log doesn’t. Check the log before going on.',
    { position },
    cause,
  );
}

// `handled` is the same object from batch to batch, so its texts are made once.
const typeLists = new WeakMap<ReadonlySet<string>, string>();

function typeList(types: ReadonlySet<string>): string {
  let list = typeLists.get(types);
  if (list === undefined) typeLists.set(types, (list = JSON.stringify([...types])));
  return list;
}
