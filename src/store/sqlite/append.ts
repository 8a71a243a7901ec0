/**
 * Append: the checks in the order of the contract, then inserts only.
 *
 * Within a transaction that the caller has begun with the write lock, and ends: it commits what is `stored` and rolls
 * back everything else.
 */
import type { DatabaseSync } from 'node:sqlite';
import { LogCorrupt } from '../../errors.ts';
import { assertBatch } from '../batch.ts';
import { chainHash } from '../chain.ts';
import { refuseTimesAhead } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { Room } from '../room.ts';
import type { Appended, Batch, LogEnd, Refused, Stored } from '../store.ts';
import { LOAD_EVENTS_MAX, STALE_EVENTS_MAX } from '../store.ts';
import type { Chain } from './commits.ts';
import { one } from './connection.ts';
import { corrupt, isTaken } from './errors.ts';
import type { Heads } from './heads.ts';
import type { Interned } from './intern.ts';
import type { Loader } from './load.ts';
import { Attachments } from './attachments.ts';
import { Inserts } from './insert.ts';
import type { RegistryTable } from './registry.ts';

export interface AppendOptions {
  /** Look for duplicates before anything is inserted, so that a refusal leaves the transaction as it was. */
  readonly lookFirst: boolean;
}

export type Append = (batch: Batch, options: AppendOptions) => Appended;

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
     AND type IN (SELECT id FROM names WHERE name IN (SELECT value FROM json_each(?))) LIMIT 1`,
  );

  function staleReads(batch: Batch): { heads: number[]; stale: Refused['stale'] } {
    const stale: Refused['stale'][number][] = [];
    const room = new Room(LOAD_EVENTS_MAX);
    const found = batch.reads.map(({ collection, id, version }) => {
      const document = interned.documentId(collection, id);
      const head = document === undefined ? 0 : heads.get(document);
      if (document === undefined || head <= version) return head;
      const handled = batch.handled.get(collection);
      if (handled === undefined || one(handledAbove, document, version, typeList(handled)) === undefined) return head;
      const events = loader.events(document, version, Math.min(head, version + STALE_EVENTS_MAX), room);
      stale.push({ collection, id, head, events });
      return head;
    });
    return { heads: found, stale };
  }

  /** Inserts the rows of the ledger and the chain. Throws as a unique key does for an id with a final outcome. */
  function insertCommits(batch: Batch, end: LogEnd, now: number): { after: LogEnd; stored: Stored['commits'] } {
    const stored: Stored['commits'][number][] = [];
    let { position, hash, recordedAt } = end;
    for (const { command, events, final, outcome, reason, details, time, digest } of batch.commits) {
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
  function insertEvents(batch: Batch, end: LogEnd): { versions: number[]; moved: Map<number, number> } {
    const versions: number[] = [];
    // Of all documents of the batch, however many: the cache may forget.
    const moved = new Map<number, number>();
    let { position } = end;
    for (const commit of batch.commits) {
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

  function insert(
    batch: Batch,
    { end, now }: { readonly end: LogEnd; readonly now: number },
    readHeads: readonly number[],
    ids: readonly string[],
  ): Appended {
    let inserted: ReturnType<typeof insertCommits>;
    // The unique key finds duplicates for nothing: it has to be written anyway.
    try {
      inserted = insertCommits(batch, end, now);
    } catch (error) {
      if (!isTaken(error)) throw error;
      // What was interned for this batch goes when the caller rolls back.
      interned.forget();
      const duplicates = chain.finals(ids, end.position);
      if (duplicates.length > 0) return { status: 'refused', end, stale: [], duplicates };
      throw new LogCorrupt(
        'The index of the ledger is damaged: it holds a command that the log doesn’t. Check the log before going on.',
        { position: end.position },
        error,
      );
    } finally {
      commitRows.clear();
    }
    const { after, stored } = inserted;
    try {
      const { versions, moved } = insertEvents(batch, end);
      interned.follow(after, () => true);
      heads.moved(after, moved);
      return { status: 'stored', end: after, commits: stored, versions, heads: readHeads };
    } catch (error) {
      if (isTaken(error)) throw corrupt('a position or version is taken', { position: end.position + 1 });
      throw error;
    } finally {
      eventRows.clear();
      attachmentRows.clear();
    }
  }

  return (batch, { lookFirst }) => {
    assertBatch(batch);
    const end = chain.end();
    interned.follow(end, chain.holds);
    if (batch.seen.position === end.position ? batch.seen.hash !== end.hash : !chain.holds(batch.seen)) {
      return { status: 'diverged' };
    }
    if (batch.generation !== registry.generation()) return { status: 'behind' };

    heads.follow(end);
    const { heads: readHeads, stale } = staleReads(batch);
    if (batch.reads.some(({ version }, index) => version > readHeads[index]!)) return { status: 'diverged' };
    const ids = batch.commits.map((commit) => commit.command.id);
    const refused = (): Refused | undefined => {
      const duplicates = chain.finals(ids, end.position);
      if (stale.length === 0 && duplicates.length === 0) return undefined;
      return { status: 'refused', end, stale, duplicates };
    };
    // A commit that isn't final doesn't meet the unique key of a final one.
    if (lookFirst || stale.length > 0 || batch.commits.some((commit) => !commit.final)) {
      const answer = refused();
      if (answer !== undefined) return answer;
    }
    let now: number;
    try {
      now = clock.read(end.recordedAt);
      refuseTimesAhead(batch.commits, end.recordedAt, now, clock.aheadMs);
    } catch (error) {
      // What stands in the way is answered first.
      const answer = refused();
      if (answer !== undefined) return answer;
      throw error;
    }
    return insert(batch, { end, now }, readHeads, ids);
  };
}

// `handled` is the same object from batch to batch, so its texts are made once.
const typeLists = new WeakMap<ReadonlySet<string>, string>();

function typeList(types: ReadonlySet<string>): string {
  let list = typeLists.get(types);
  if (list === undefined) typeLists.set(types, (list = JSON.stringify([...types])));
  return list;
}
