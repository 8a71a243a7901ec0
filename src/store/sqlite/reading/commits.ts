/** The chain and the ledger: both are the table `commits`. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import { types } from 'node:util';
import type { CommitRange, LogEnd, LogPoint, StoredCommit } from '../../store.ts';
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import { GENESIS_HASH } from '../../chain.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/intern.ts';
import { isCount, isTextOrNull, isWhole } from '../values.ts';

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

export interface Chain {
  /** The end of the log. */
  end(): LogEnd;
  /** Whether a commit ends at that position with that hash. */
  holds(point: LogPoint): boolean;
  /** The commit that the event at a position belongs to. */
  commitAt(position: number): StoredCommit;
  commits(range: CommitRange): readonly StoredCommit[];
  ledger(ids: readonly string[]): readonly StoredCommit[];
  /** Which of the command ids have a final outcome at or below a position. */
  finals(ids: readonly string[], upTo: number): readonly string[];
}

export function chain(database: DatabaseSync, interned: Interned): Chain {
  const last = database.prepare(
    'SELECT position, event_count, recorded_at, hash FROM commits ORDER BY position DESC LIMIT 1',
  );
  const endAt = database.prepare(
    'SELECT position, event_count, hash FROM commits WHERE position <= ? ORDER BY position DESC LIMIT 1',
  );
  const floor = database.prepare(`SELECT ${COLUMNS} FROM commits WHERE position <= ? ORDER BY position DESC LIMIT 1`);
  const floorTime = database.prepare(
    'SELECT position, recorded_at FROM commits WHERE position <= ? ORDER BY position DESC LIMIT 1',
  );
  const page = (order: 'ASC' | 'DESC') =>
    database.prepare(
      `SELECT ${COLUMNS} FROM commits WHERE position > ? AND position <= ? ORDER BY position ${order} LIMIT ?`,
    );
  const forward = page('ASC');
  const backward = page('DESC');
  const lastAttempt = database.prepare(
    `SELECT ${COLUMNS} FROM commits WHERE command_id = ? ORDER BY attempt DESC LIMIT 1`,
  );
  const finalAttempt = database.prepare(`SELECT ${COLUMNS} FROM commits WHERE command_id = ? AND attempt = 0`);
  const finalPosition = database.prepare(
    'SELECT position FROM commits WHERE command_id = ? AND attempt = 0 AND position <= ?',
  );

  function end(): LogEnd {
    const row = one<[number, number, number, Uint8Array]>(last);
    if (row === undefined) return { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
    const [position, eventCount, recordedAt, hash] = row;
    if (!isCount(position) || !isCount(eventCount) || !isWhole(position + eventCount) || !isWhole(recordedAt)) {
      throw corrupt('the last commit has a position, a number of events or a time that is none', { position });
    }
    return { position: position + eventCount - 1, hash: hex(hash, position), recordedAt };
  }

  function holds(point: LogPoint): boolean {
    if (point.position === 0) return point.hash === GENESIS_HASH;
    const row = one<[number, number, Uint8Array]>(endAt, point.position);
    if (row === undefined) return false;
    return row[0] + row[1] - 1 === point.position && hex(row[2], row[0]) === point.hash;
  }

  /** The position of the last commit recorded by a time, found by halving: `recorded_at` never runs backwards. */
  function lastRecordedBy(time: number): number {
    let low = 0;
    let high = end().position;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = one<[number, number]>(floorTime, middle);
      if (row === undefined || row[1] <= time) low = middle;
      else high = row[0] - 1;
    }
    return low;
  }

  function stored(row: Row): StoredCommit {
    const [position, eventCount, id, attempt, name, fingerprint, actor, correlation, causation, ...rest] = row;
    const [outcome, reason, details, time, recordedAt, hash] = rest;
    if (outcome !== 0 && outcome !== 1) throw corrupt('an outcome that doesn’t exist', { position });
    // A success is final: otherwise the same id could be executed once more.
    if (attempt !== 0 && (attempt !== position || outcome === 0))
      throw corrupt('an attempt that is none', { position });
    if (!isCount(position) || !isCount(eventCount) || !isWhole(time) || !isWhole(recordedAt)) {
      throw corrupt('a commit has a position, a number of events or a time that is none', { position });
    }
    if (typeof id !== 'string' || ![actor, correlation, causation, reason, details].every(isTextOrNull)) {
      throw corrupt('a commit has a text that is none', { position });
    }
    return {
      command: {
        id,
        name: interned.name(name, { position }),
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

  return {
    end,
    holds,

    commitAt(position) {
      const row = one<Row>(floor, position);
      if (row === undefined || row[0] + row[1] <= position) throw corrupt('an event without a commit', { position });
      return stored(row);
    },

    commits({ after, upTo, recordedBy, reverse = false, limit }) {
      interned.follow(end(), holds);
      const last = upperBound(upTo);
      const until = recordedBy === undefined ? last : Math.min(last, lastRecordedBy(recordedBy));
      const rows = all<Row>(reverse ? backward : forward, lowerBound(after), until, pageRows(limit));
      return rows.map(stored);
    },

    ledger(ids) {
      interned.follow(end(), holds);
      return [...new Set(ids)].flatMap((id) => {
        const row = one<Row>(lastAttempt, id);
        if (row === undefined) return [];
        // The final outcome has the lowest attempt, 0: what came before it is not asked for any more.
        return [stored((row[3] === 0 ? undefined : one<Row>(finalAttempt, id)) ?? row)];
      });
    },

    finals(ids, upTo) {
      return ids.filter((id) => one<[number]>(finalPosition, id, upTo) !== undefined);
    },
  };
}

function hex(bytes: Uint8Array, position: number): string {
  if (!types.isUint8Array(bytes) || bytes.length !== 32) throw corrupt('a hash that is none', { position });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
