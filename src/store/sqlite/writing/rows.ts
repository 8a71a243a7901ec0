/** Inserts the rows of a batch: commits, events and attachments. */
import type { DatabaseSync } from 'node:sqlite';
import { chainHash } from '../../chain.ts';
import type { Commit, LogEnd, NewEvent, StoredAt } from '../../store.ts';
import { corrupt, isTaken } from '../errors.ts';
import { Attachments } from './attachments.ts';
import type { Heads } from './heads.ts';
import { Inserts } from './insert.ts';
import type { Interned } from './interned.ts';

/** The columns of the tables. Hashes are hexadecimal digits. */
const COMMIT = {
  position: '?',
  event_count: '?',
  command_id: '?',
  attempt: '?',
  name: '?',
  fingerprint: 'unhex(?)',
  actor: '?',
  correlation: '?',
  causation: '?',
  outcome: '?',
  reason: '?',
  details: '?',
  time: '?',
  recorded_at: '?',
  hash: 'unhex(?)',
};

const EVENT = { position: '?', type: '?', schema_version: '?', time: '?', attachments: '?', json: '?' };

/** A batch that was inserted. */
export interface Inserted {
  /** The end of the log after it. */
  readonly end: LogEnd;
  readonly commits: readonly StoredAt[];
  /** The version of each attachment. */
  readonly versions: readonly number[];
}

/** The unique key has found a command id with a final outcome. That costs nothing: the row must be written anyway. */
export interface Taken {
  readonly taken: unknown;
}

export class BatchRows {
  readonly #commits: Inserts<keyof typeof COMMIT>;
  readonly #events: Inserts<keyof typeof EVENT>;
  readonly #attachments: Attachments;
  readonly #interned: Interned;
  readonly #heads: Heads;

  constructor(database: DatabaseSync, interned: Interned, heads: Heads) {
    this.#commits = new Inserts(database, 'commits', COMMIT);
    this.#events = new Inserts(database, 'events', EVENT);
    this.#attachments = new Attachments(database);
    this.#interned = interned;
    this.#heads = heads;
  }

  /** Inserts commits after the end of the log. `now` is the time of the store's clock. */
  insert(commits: readonly Commit[], end: LogEnd, now: number): Inserted | Taken {
    try {
      const stored: StoredAt[] = [];
      try {
        end = this.#insertCommits(commits, end, now, stored);
      } catch (error) {
        if (!isTaken(error)) throw error;
        // The names that were stored for this batch are gone when the caller rolls back.
        this.#interned.forget();
        return { taken: error };
      }
      return { end, commits: stored, versions: this.#insertEvents(commits, stored, end) };
    } finally {
      this.#commits.clear();
      this.#events.clear();
      this.#attachments.clear();
    }
  }

  /** Adds where each is stored, and returns the end after them. Throws SQLite's error for an id with a final outcome. */
  #insertCommits(commits: readonly Commit[], end: LogEnd, now: number, stored: StoredAt[]): LogEnd {
    let { position, hash, recordedAt } = end;
    for (const { command, events, final, outcome, reason, details, time, digest } of commits) {
      const first = position + 1;
      recordedAt = Math.max(now, time, recordedAt);
      hash = chainHash(hash, first, recordedAt, digest);
      stored.push({ position: first, recordedAt, hash });
      this.#commits.add({
        position: first,
        event_count: events.length,
        command_id: command.id,
        attempt: final ? 0 : first,
        name: this.#interned.addName(command.name),
        fingerprint: command.fingerprint,
        actor: command.actor ?? null,
        correlation: command.correlation ?? null,
        causation: command.causation ?? null,
        outcome: outcome === 'succeeded' ? 0 : 1,
        reason: reason ?? null,
        details: details ?? null,
        time,
        recorded_at: recordedAt,
        hash,
      });
      position += events.length;
    }
    this.#commits.flush();
    return { position, hash, recordedAt };
  }

  /** Inserts the events and attachments, and returns the version of each attachment. `end` is the end after them. */
  #insertEvents(commits: readonly Commit[], stored: readonly StoredAt[], end: LogEnd): number[] {
    const versions: number[] = [];
    // All documents of the batch: the cache may forget some.
    const moved = new Map<number, number>();
    try {
      for (const [index, { events, time, outcome }] of commits.entries()) {
        let { position } = stored[index]!;
        for (const event of events) {
          const type = this.#interned.addType(event.type, position, outcome === 'succeeded');
          const attachments = this.#attach(event, position, type, moved, versions);
          const { schemaVersion, json } = event;
          this.#events.add({ position, type, schema_version: schemaVersion, time, attachments, json });
          position += 1;
        }
      }
      this.#events.flush();
      this.#attachments.flush();
    } catch (error) {
      if (isTaken(error)) throw corrupt('a position or version is taken', { position: stored[0]!.position });
      throw error;
    }
    this.#interned.moved(end);
    this.#heads.moved(end, moved);
    return versions;
  }

  /** Attaches an event to the next version of each of its documents, and returns the list for its row. */
  #attach(
    { attachments }: NewEvent,
    position: number,
    type: number,
    moved: Map<number, number>,
    versions: number[],
  ): string {
    let list = '';
    for (const { collection, id } of attachments) {
      const document = this.#interned.addDocument(collection, id);
      const version = (moved.get(document) ?? this.#heads.get(document)) + 1;
      moved.set(document, version);
      versions.push(version);
      this.#attachments.add({ document, version, position, type });
      list += list === '' ? `${document},${version}` : `,${document},${version}`;
    }
    return `[${list}]`;
  }
}
