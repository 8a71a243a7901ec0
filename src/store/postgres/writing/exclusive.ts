/** Work under the write lock: one transaction on one connection, committed when the work is done. */
import { hasCode } from '../../../errors.ts';
import { Section } from '../../section.ts';
import type { Locked } from '../../store.ts';
import type { Connection, Query } from '../connecting/connection.ts';

/** What a section offers to its work, each on the query of its transaction. */
export type Offers = (query: Query, connection: Connection) => Locked;

export interface SectionOptions {
  /** The statement that takes the lock. */
  readonly lock: string;
  /** The log's id. */
  readonly log: string;
  readonly lockTimeoutMs: number;
  /** How long the work may pause between two statements, in milliseconds. */
  readonly idleTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly offers: Offers;
  readonly translate: (error: unknown) => unknown;
}

/** What the work answered with, or what it, or a statement of it, threw. */
export type Worked<T> = { readonly result: T } | { readonly thrown: unknown };

/** Begins the transaction, takes the lock and runs the work. The caller commits, or rolls back. */
export async function runLocked<T>(
  connection: Connection,
  work: (locked: Locked) => Promise<T>,
  options: SectionOptions,
): Promise<Worked<T>> {
  const { lock, log, lockTimeoutMs, idleTimeoutMs, answerTimeoutMs, offers, translate } = options;
  const statementTimeoutMs = lockTimeoutMs + answerTimeoutMs;
  // At this level each statement sees what was committed before the lock was given. A server that vanished without a word
  // (no reset ever comes) mustn't keep the lock.
  await connection.begin('READ COMMITTED', { statementTimeoutMs, lockTimeoutMs, idleTimeoutMs });
  await connection.query(lock, [String(lockTimeoutMs), log], { timeoutMs: statementTimeoutMs });

  const section = new Section(
    offers((text, parameters = []) => connection.query(text, [...parameters, log]), connection),
    {
      orGivenUp: (working) => Promise.race([working, connection.abandoned]),
      translated: translate,
      // A statement that failed has undone the transaction. What was read and is damaged has lost nothing.
      loses: (error) => !hasCode(error, 'LogCorrupt'),
    },
  );
  try {
    return { result: await section.run(work) };
  } catch (thrown) {
    return { thrown: translate(thrown) };
  }
}
