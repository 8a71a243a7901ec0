/**
 * Append: the checks in the order of the contract, then inserts only.
 *
 * Within a transaction that the caller has begun with the write lock, and ends: it commits what is `stored` and rolls
 * back everything else.
 */
import type { DatabaseSync } from 'node:sqlite';
import { hasCode, LogCorrupt } from '../../../errors.ts';
import { assertBatch } from '../../batch.ts';
import { chainHash } from '../../chain.ts';
import { refuseTimesAhead } from '../../clock.ts';
import type { Clock } from '../../clock.ts';
import { standing } from '../../ground.ts';
import { Room } from '../../room.ts';
import type { Appended, Batch, Commit, DocumentEvent, LogEnd, StaleDocument, StoredAt } from '../../store.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../../store.ts';
import type { Chain } from '../reading/commits.ts';
import { one } from '../connecting/connection.ts';
import { corrupt, isTaken } from '../errors.ts';
import type { Heads } from './heads.ts';
import type { Interned } from './intern.ts';
import type { Loader } from '../reading/load.ts';
import { Attachments } from './attachments.ts';
import { Inserts } from './insert.ts';
import type { RegistryTable } from './registry.ts';

export interface Append {
  /** Looks for duplicates before anything is inserted, so that a refusal leaves the transaction as it was. */
  looking(batch: Batch): Appended;
  /** Finds them by the unique key: undefined if there is one. Then the transaction is to be rolled back. */
  hoping(batch: Batch): Appended | undefined;
}

interface Parts {
  readonly interned: Interned;
  readonly chain: Chain;
  readonly loader: Loader;
  readonly heads: Heads;
  readonly registry: RegistryTable;
  readonly clock: Clock;
}

export function appender(database: DatabaseSync, parts: Parts): Append {
  const { interned, chain, loader, heads, registry, clock } = parts;
  const commitRows = new Inserts(
    database,
    `commits (position, event_count, command_id, attempt, name, fingerprint, actor, correlation, causation, outcome,
      reason, details, time, recorded_at, hash)`,
    '(?,?,?,?,?,unhex(?),?,?,?,?,?,?,?,?,unhex(?))',
  );
  const eventRows = new Inserts(
    database,
    'events (position, type, schema_version, time, attachments, json)',
    '(?,?,?,?,?,?)',
  );
  const attachmentRows = new Attachments(database);
  const handledAbove = database.prepare(
    `SELECT 1 FROM attachments WHERE document = ? AND version > ?
     AND type IN (SELECT number FROM names WHERE name IN (SELECT value FROM json_each(?))) LIMIT 1`,
  );

  function staleReads(batch: Batch): { heads: number[]; rows: number[]; stale: StaleDocument[] } {
    const rows: number[] = [];
    const stale: StaleDocument[] = [];
    const room = new Room(LOAD_EVENTS_MAX);
    const found = batch.reads.map(({ collection, id, version }, row) => {
      const document = interned.documentId(collection, id);
      const head = document === undefined ? 0 : heads.get(document);
      if (document === undefined || head <= version) return head;
      const handled = batch.handled.get(collection);
      if (handled === undefined || one(handledAbove, document, version, typeList(handled)) === undefined) return head;
      rows.push(row);
      stale.push({ collection, id, head, events: eventsAbove(document, version, head, room) });
      return head;
    });
    return { heads: found, rows, stale };
  }

  /** None of a document that is damaged: whoever loads it is told, and what doesn't rest on it is stored. */
  function eventsAbove(document: number, version: number, head: number, room: Room): readonly DocumentEvent[] {
    try {
      return loader.events(document, version, Math.min(head, version + STALE_EVENTS_MAX), room);
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      return [];
    }
  }

  /** Inserts the rows of the ledger and the chain. Throws as a unique key does for an id with a final outcome. */
  function insertCommits(commits: readonly Commit[], end: LogEnd, now: number): { after: LogEnd; stored: StoredAt[] } {
    const stored: StoredAt[] = [];
    let { position, hash, recordedAt } = end;
    for (const { command, events, final, outcome, reason, details, time, digest } of commits) {
      const first = position + 1;
      recordedAt = Math.max(now, time, recordedAt);
      hash = chainHash(hash, first, recordedAt, digest);
      stored.push({ position: first, recordedAt, hash });
      commitRows.put(first);
      commitRows.put(events.length);
      commitRows.put(command.id);
      commitRows.put(final ? 0 : first);
      commitRows.put(interned.addName(command.name));
      commitRows.put(command.fingerprint);
      commitRows.put(command.actor ?? null);
      commitRows.put(command.correlation ?? null);
      commitRows.put(command.causation ?? null);
      commitRows.put(outcome === 'succeeded' ? 0 : 1);
      commitRows.put(reason ?? null);
      commitRows.put(details ?? null);
      commitRows.put(time);
      commitRows.put(recordedAt);
      commitRows.put(hash);
      commitRows.endRow();
      position += events.length;
    }
    commitRows.flush();
    return { after: { position, hash, recordedAt }, stored };
  }

  /** Inserts the log's rows and the attachments'. Gives the version of each attachment, and the new heads. */
  function insertEvents(commits: readonly Commit[], end: LogEnd): { versions: number[]; moved: Map<number, number> } {
    const versions: number[] = [];
    // Of all documents of the batch, however many: the cache may forget.
    const moved = new Map<number, number>();
    let { position } = end;
    for (const commit of commits) {
      for (const event of commit.events) {
        position += 1;
        const type = interned.addType(event.type, position, commit.outcome === 'succeeded');
        let list = '[';
        for (const { collection, id } of event.attachments) {
          const document = interned.addDocument(collection, id);
          const version = (moved.get(document) ?? heads.get(document)) + 1;
          moved.set(document, version);
          versions.push(version);
          attachmentRows.put(document, version, position, type);
          list += list.length === 1 ? `${document},${version}` : `,${document},${version}`;
        }
        eventRows.put(position);
        eventRows.put(type);
        eventRows.put(event.schemaVersion);
        eventRows.put(commit.time);
        eventRows.put(`${list}]`);
        eventRows.put(event.json);
        eventRows.endRow();
      }
    }
    eventRows.flush();
    attachmentRows.flush();
    return { versions, moved };
  }

  interface Inserted {
    readonly after: LogEnd;
    readonly stored: readonly StoredAt[];
    readonly versions: readonly number[];
  }

  interface Taken {
    readonly taken: unknown;
  }

  /** Or what a unique key has found: a command id that has a final outcome, for nothing, as it has to be written anyway. */
  function insert(commits: readonly Commit[], end: LogEnd, now: number): Inserted | Taken {
    let inserted: ReturnType<typeof insertCommits>;
    try {
      inserted = insertCommits(commits, end, now);
    } catch (error) {
      if (!isTaken(error)) throw error;
      // What was interned for this batch goes when the caller rolls back.
      interned.forget();
      return { taken: error };
    } finally {
      commitRows.clear();
    }
    const { after, stored } = inserted;
    try {
      const { versions, moved } = insertEvents(commits, end);
      interned.follow(after, () => true);
      heads.moved(after, moved);
      return { after, stored, versions };
    } catch (error) {
      if (isTaken(error)) throw corrupt('a position or version is taken', { position: end.position + 1 });
      throw error;
    } finally {
      eventRows.clear();
      attachmentRows.clear();
    }
  }

  function append(batch: Batch, lookFirst: boolean): Appended | undefined {
    assertBatch(batch);
    const end = chain.end();
    interned.follow(end, chain.holds);
    if (batch.seen.position === end.position ? batch.seen.hash !== end.hash : !chain.holds(batch.seen)) {
      return { status: 'diverged' };
    }
    if (batch.generation !== registry.generation()) return { status: 'behind' };

    heads.follow(end);
    const { heads: readHeads, rows, stale } = staleReads(batch);
    if (batch.reads.some(({ version }, index) => version > readHeads[index]!)) return { status: 'diverged' };
    // A commit that isn't final doesn't meet the unique key of a final one; and what falls may take others with it.
    const looks = lookFirst || stale.length > 0 || batch.commits.some((commit) => !commit.final);
    const ids = batch.commits.map((commit) => commit.command.id);
    const duplicates = looks ? chain.finals(ids, end.position) : [];
    const judged = { heads: readHeads, stale, duplicates };
    const stands = standing(batch, rows, duplicates);
    const kept = batch.commits.filter((_, index) => stands[index]);
    if (kept.length === 0) return { status: 'refused', end, ...judged };
    let now: number;
    try {
      now = clock.read(end.recordedAt);
      refuseTimesAhead(kept, end.recordedAt, now, clock.aheadMs);
    } catch (error) {
      // One that is ahead may have been executed before: then it isn't stored.
      if (!looks && chain.finals(ids, end.position).length > 0) return undefined;
      throw error;
    }
    const inserted = insert(kept, end, now);
    if ('taken' in inserted) {
      if (!looks) return undefined;
      throw new LogCorrupt(
        'The index of the ledger is damaged: it holds a command that the log doesn’t. Check the log before going on.',
        { position: end.position },
        inserted.taken,
      );
    }
    let next = 0;
    const commits = stands.map((stands) => (stands ? inserted.stored[next++] : undefined));
    return { status: 'stored', end: inserted.after, ...judged, commits, versions: inserted.versions };
  }

  return { looking: (batch) => append(batch, true)!, hoping: (batch) => append(batch, false) };
}

// `handled` is the same object from batch to batch, so its texts are made once.
const typeLists = new WeakMap<ReadonlySet<string>, string>();

function typeList(types: ReadonlySet<string>): string {
  let list = typeLists.get(types);
  if (list === undefined) typeLists.set(types, (list = JSON.stringify([...types])));
  return list;
}
