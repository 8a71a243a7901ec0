/** The chain and the ledger: both are the table `commits`. */
import type { DatabaseSync } from 'node:sqlite';
import type { CommitRange, LogEnd, LogPoint, StoredCommit } from '../../store.ts';
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import { GENESIS_HASH } from '../../chain.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/interned.ts';
import { hexOf, isCount, isTextOrNull, isWhole } from '../values.ts';

const COLUMNS = `position, event_count, command_id, attempt, name, fingerprint, actor, correlation, causation, outcome,
  reason, details, time, recorded_at, hash`;

type Row = readonly [
  position: number,
  eventCount: number,
  commandId: string,
  attempt: number,
  name: number,
  fingerprint: Uint8Array,
  actor: string | null,
  correlation: string | null,
  causation: string | null,
  outcome: number,
  reason: string | null,
  details: string | null,
  time: number,
  recordedAt: number,
  hash: Uint8Array,
];

export class Commits {
  readonly #sql;
  readonly #interned: Interned;

  constructor(database: DatabaseSync, interned: Interned) {
    const from = 'FROM commits WHERE position <= ? ORDER BY position DESC LIMIT 1';
    const page = `SELECT ${COLUMNS} FROM commits WHERE position > ? AND position <= ? ORDER BY position`;
    const ofCommand = `SELECT ${COLUMNS} FROM commits WHERE command_id = ?`;
    this.#sql = {
      last: database.prepare(
        'SELECT position, event_count, recorded_at, hash FROM commits ORDER BY position DESC LIMIT 1',
      ),
      floor: database.prepare(`SELECT ${COLUMNS} ${from}`),
      floorEnd: database.prepare(`SELECT position, event_count, hash ${from}`),
      floorTime: database.prepare(`SELECT position, recorded_at ${from}`),
      forward: database.prepare(`${page} LIMIT ?`),
      backward: database.prepare(`${page} DESC LIMIT ?`),
      lastAttempt: database.prepare(`${ofCommand} ORDER BY attempt DESC LIMIT 1`),
      finalAttempt: database.prepare(`${ofCommand} AND attempt = 0`),
      finalPosition: database.prepare(
        'SELECT position FROM commits WHERE command_id = ? AND attempt = 0 AND position <= ?',
      ),
    };
    this.#interned = interned;
  }

  commits({ after, upTo, recordedBy, reverse = false, limit }: CommitRange): readonly StoredCommit[] {
    const end = this.end();
    const last = upperBound(upTo);
    const until = recordedBy === undefined ? last : Math.min(last, this.#lastRecordedBy(recordedBy, end));
    const rows = all<Row>(reverse ? this.#sql.backward : this.#sql.forward, lowerBound(after), until, pageRows(limit));
    return rows.map((row) => this.#stored(row));
  }

  ledger(ids: readonly string[]): readonly StoredCommit[] {
    this.end();
    return [...new Set(ids)].flatMap((id) => {
      const row = one<Row>(this.#sql.lastAttempt, id);
      if (row === undefined) return [];
      // The final outcome has the lowest attempt, 0, and hides those before it.
      return [this.#stored((row[3] === 0 ? undefined : one<Row>(this.#sql.finalAttempt, id)) ?? row)];
    });
  }

  /** The end of the log. Must be called first in each transaction: the caches of `Interned` are checked against it. */
  end(): LogEnd {
    const end = this.#end();
    this.#interned.follow(end, this);
    return end;
  }

  /** Whether a commit ends at that position with that hash. */
  holds(point: LogPoint): boolean {
    if (point.position === 0) return point.hash === GENESIS_HASH;
    const row = one<[number, number, Uint8Array]>(this.#sql.floorEnd, point.position);
    if (row === undefined) return false;
    return row[0] + row[1] - 1 === point.position && hex(row[2], row[0]) === point.hash;
  }

  /** The commit that the event at a position belongs to. */
  commitAt(position: number): StoredCommit {
    const row = one<Row>(this.#sql.floor, position);
    if (row === undefined || row[0] + row[1] <= position) throw corrupt('an event without a commit', { position });
    return this.#stored(row);
  }

  /** Which of the command ids have a final outcome at or below a position. */
  finals(ids: readonly string[], upTo: number): readonly string[] {
    return ids.filter((id) => one<[number]>(this.#sql.finalPosition, id, upTo) !== undefined);
  }

  #end(): LogEnd {
    const row = one<[number, number, number, Uint8Array]>(this.#sql.last);
    if (row === undefined) return { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
    const [position, eventCount, recordedAt, hash] = row;
    if (!isCount(position) || !isCount(eventCount) || !isWhole(position + eventCount) || !isWhole(recordedAt)) {
      throw corrupt("a position, a number of events or a time of the last commit isn't valid", { position });
    }
    return { position: position + eventCount - 1, hash: hex(hash, position), recordedAt };
  }

  /** The position of the last commit recorded by a time, by binary search: `recorded_at` never goes back. */
  #lastRecordedBy(time: number, end: LogEnd): number {
    let low = 0;
    let high = end.position;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = one<[number, number]>(this.#sql.floorTime, middle);
      if (row === undefined || row[1] <= time) low = middle;
      else high = row[0] - 1;
    }
    return low;
  }

  /** @throws LogCorrupt unless the values are what a commit can hold */
  #stored(row: Row): StoredCommit {
    const [position, eventCount, id, attempt, name, fingerprint, actor, correlation, causation, ...others] = row;
    const [outcome, reason, details, time, recordedAt, hash] = others;
    const where = { position };
    if (outcome !== 0 && outcome !== 1) throw corrupt('an outcome that doesn’t exist', where);
    // A success is final: otherwise the same id could be executed once more.
    if (attempt !== 0 && (attempt !== position || outcome === 0)) throw corrupt("an attempt isn't valid", where);
    if (!isCount(position) || !isCount(eventCount) || !isWhole(time) || !isWhole(recordedAt)) {
      throw corrupt("a position, a number of events or a time of a commit isn't valid", where);
    }
    if (typeof id !== 'string' || ![actor, correlation, causation, reason, details].every(isTextOrNull)) {
      throw corrupt("a text of a commit isn't valid", where);
    }
    return {
      command: {
        id,
        name: this.#interned.name(name, where),
        fingerprint: hex(fingerprint, position),
        ...(actor !== null && { actor }),
        ...(correlation !== null && { correlation }),
        ...(causation !== null && { causation }),
      },
      outcome: outcome === 0 ? 'succeeded' : 'failed',
      final: attempt === 0,
      ...(reason !== null && { reason }),
      ...(details !== null && { details }),
      time,
      position,
      eventCount,
      recordedAt,
      hash: hex(hash, position),
    };
  }
}

function hex(bytes: Uint8Array, position: number): string {
  const digits = hexOf(bytes);
  if (digits === undefined) throw corrupt("a hash isn't valid", { position });
  return digits;
}
