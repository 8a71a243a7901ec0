/** Work under the write lock: one transaction on one connection, committed by the caller when the work is done. */
import { hasCode } from '../../../errors.ts';
import { Section } from '../../section.ts';
import type { Offered } from '../../section.ts';
import type { Locked } from '../../store.ts';
import type { Connection, Query } from '../connecting/connection.ts';

/** How long the work may pause between two statements, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

/** What a section offers to its work, by the query of its transaction. */
export type Offering = (query: Query, connection: Connection) => Offered;

export interface LockSettings {
  /** The statement that takes the lock. */
  readonly lock: string;
  /** The log's id. */
  readonly log: string;
  readonly lockTimeoutMs: number;
  /** How long a statement may take, with the waiting for the lock. */
  readonly statementTimeoutMs: number;
  readonly translate: (error: unknown) => unknown;
}

/**
 * Begins the transaction, takes the lock and runs the work. What is thrown before the work has begun is the driver's, and
 * the section may be run again; what is thrown by the work, or by a statement of it, is translated.
 */
export async function runLocked<T>(
  connection: Connection,
  work: (locked: Locked) => Promise<T>,
  offering: Offering,
  { lock, log, lockTimeoutMs, statementTimeoutMs, translate }: LockSettings,
): Promise<T> {
  // At this level each statement sees what was committed before the lock was given. A server that vanished without a word
  // (no reset ever comes) mustn't keep the lock.
  await connection.begin('READ COMMITTED', { statementTimeoutMs, lockTimeoutMs, idleTimeoutMs: IDLE_TIMEOUT_MS });
  await connection.query(lock, [String(lockTimeoutMs), log], { timeoutMs: statementTimeoutMs });

  const query: Query = (text, parameters = []) => connection.query(text, [...parameters, log]);
  const section = new Section(offering(query, connection), {
    orGivenUp: (working) => Promise.race([working, connection.abandoned]),
    translated: translate,
    // A statement that failed has undone the transaction. What was read and is damaged has lost nothing.
    loses: (error) => !hasCode(error, 'LogCorrupt'),
  });
  try {
    return await section.run(work);
  } catch (thrown) {
    await connection.rollback();
    throw translate(thrown);
  }
}
