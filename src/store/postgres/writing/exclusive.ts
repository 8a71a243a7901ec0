/** Work under the write lock: one transaction on one connection, committed by the caller when the work is done. */
import { hasCode } from '../../../errors.ts';
import { Section, type Offered } from '../../section.ts';
import type { Locked } from '../../store.ts';
import type { Connection } from '../connecting/connection.ts';
import type { Settings } from '../connecting/options.ts';
import { translated } from '../errors.ts';
import type { Calls } from '../functions.ts';

/** How long the work may pause between two statements, in milliseconds. */
const IDLE_TIMEOUT_MS = 10_000;

/** What a section offers to its work, by the query of its transaction. */
export type Offering = (query: Calls, connection: Connection) => Offered;

/** `lock`: the statement that takes the lock. `log`: the log's id. `statementTimeoutMs`: includes the wait for the lock. */
type LockSettings = Pick<Settings, 'place' | 'lockTimeoutMs'> &
  Readonly<{ lock: string; log: string; statementTimeoutMs: number }>;

/**
 * Begins the transaction, takes the lock and runs the work. An error from before the work has begun is the driver's, and the
 * section may be run again. An error of the work, or of one of its statements, is translated.
 */
export async function runLocked<T>(
  connection: Connection,
  query: Calls,
  work: (locked: Locked) => Promise<T>,
  offering: Offering,
  { lock, log, place, lockTimeoutMs, statementTimeoutMs }: LockSettings,
): Promise<T> {
  // At this level each statement sees what was committed before the lock was given. A server that has vanished (and sends no
  // reset) mustn't keep the lock.
  await connection.begin('READ COMMITTED', { statementTimeoutMs, lockTimeoutMs, idleTimeoutMs: IDLE_TIMEOUT_MS });
  await connection.query(lock, [String(lockTimeoutMs), log], { timeoutMs: statementTimeoutMs });

  const section = new Section(offering(query, connection), {
    orGivenUp: (working) => Promise.race([working, connection.abandoned]),
    translated: (error) => translated(error, place),
    // A statement that failed has ended the transaction. To read something damaged ends nothing.
    loses: (error) => !hasCode(error, 'LogCorrupt'),
  });
  try {
    return await section.run(work);
  } catch (thrown) {
    await connection.rollback();
    throw translated(thrown, place);
  }
}
