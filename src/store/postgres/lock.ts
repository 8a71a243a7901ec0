/**
 * The write lock: an advisory lock of PostgreSQL's, held by a transaction and gone with it, so that a server that dies
 * leaves nothing locked. PostgreSQL gives it first come, first served: no writer starves.
 *
 * Within a session the writers queue up here, so that at most one of its connections waits for the lock and the others
 * are free for reads: also for those of the work that holds the lock.
 */

import { WRONG_ISOLATION } from './errors.ts';
import { beginSql, sameFormatSql } from './functions.ts';

/** What every function that writes says before anything else. */
export const HEARD = 'tidemark: heard';

/** The class of our advisory locks: 'Tide' in ASCII. The other half of a lock's key is the oid of the table `commits`. */
export const LOCK_CLASS = 0x54_69_64_65;
/** The class of the locks under which a log is made; the other half of the key is a hash of the schema's name. */
export const MAKING_CLASS = LOCK_CLASS + 1;

/** Takes the write lock for the transaction that it runs in, or waits for it. `schema` is quoted. */
export function lockSql(schema: string): string {
  return `pg_advisory_xact_lock(${LOCK_CLASS}, '${schema}.commits'::regclass::oid::int4)`;
}

/**
 * How a function begins that writes: it must run at READ COMMITTED, where what comes after the lock sees what was committed
 * before it. It says {@link HEARD} first (connection.ts says why), to whomever is told least: as a setting of the
 * transaction, as one of the function would be undone before the commit has waited for a standby. `log` is a parameter of
 * the function.
 */
export function writingSql(schema: string): string {
  return `  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'it must run at READ COMMITTED' USING ERRCODE = '${WRONG_ISOLATION}';
  END IF;
  PERFORM set_config('client_min_messages', 'notice', true);
  RAISE NOTICE '${HEARD}';
${beginSql(schema, 'log')}`;
}

/**
 * Waits for the write lock. A server that was started before a breaking format was made mustn't go on in the old one: the
 * function was made by format `format`, and so were those who call it. `lock_timeout` is a parameter of the function.
 */
export function lockedSql(schema: string, format: number): string {
  return `  PERFORM set_config('lock_timeout', lock_timeout, true);
  PERFORM ${lockSql(schema)};
${sameFormatSql(schema, format)}`;
}

/**
 * How a function begins that writes beside the log: under the lock, and on stable storage whatever the default is. (An
 * append may be asked for less.)
 */
export function durablyLockedSql(schema: string, format: number): string {
  return `${writingSql(schema)}
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
${lockedSql(schema, format)}`;
}

/** One thing at a time, in the order asked for. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  /** Resolves when all that has been asked for is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
