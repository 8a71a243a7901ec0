/**
 * The write lock: a lock on the table `write_lock`, which is always empty. It is held by a transaction and gone with it, so
 * that a server that dies leaves nothing locked. PostgreSQL gives it first come, first served: no writer starves.
 *
 * Only functions with the rights of the owner take it. Every role that may connect can take an advisory lock, and could stop
 * all writes; one that may read the table can't lock it in a mode that keeps a writer out. EXCLUSIVE keeps no reader out: a
 * dump of the database neither waits nor makes a writer wait. Measured, a transaction that does nothing else takes 8 µs with
 * an advisory lock, 11 with this one, 12 with a row locked FOR NO KEY UPDATE, which writes to the WAL as well; an append
 * alone some 500.
 *
 * Within a session the writers queue up here, so that at most one of its connections waits for the lock and the others
 * are free for reads: also for those of the work that holds the lock.
 */

import { WRONG_ISOLATION } from '../failed.ts';
import { beginSql, sameFormatSql, sameLogSql } from '../functions.ts';
import { FUNCTION_SETTINGS } from '../connecting/settings.ts';

/** What every function that writes says before anything else. */
export const HEARD = 'tidemark: heard';

/** Takes the write lock for the transaction that it runs in, or waits for it. `schema` is quoted. For its owner. */
export function lockSql(schema: string): string {
  return `LOCK TABLE ${schema}.write_lock IN EXCLUSIVE MODE`;
}

/**
 * How a function begins that writes: it must run at READ COMMITTED, where what comes after the lock sees what was committed
 * before it. It says {@link HEARD} first (connection.ts says why). That notices are sent at all is a setting of the
 * transaction: one of the function would be undone before the commit has waited for a standby. It waits for no lock longer
 * than it was told, from its first look at a table on. `log` and `lock_timeout` are parameters of the function.
 */
export function writingSql(schema: string): string {
  return `  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'it must run at READ COMMITTED' USING ERRCODE = '${WRONG_ISOLATION}';
  END IF;
  PERFORM set_config('client_min_messages', 'notice', true);
  PERFORM set_config('lock_timeout', lock_timeout, true);
  RAISE NOTICE '${HEARD}';
${beginSql(schema, 'log')}`;
}

/**
 * Waits for the write lock. A server that was started before a breaking format was made mustn't go on in the old one: the
 * function was made by format `format`, and so was the code that calls it.
 */
export function lockedSql(schema: string, format: number): string {
  return `  ${lockSql(schema)};
${sameFormatSql(schema, format)}`;
}

/**
 * A function that writes beside the log: under the lock, and on stable storage whatever the default is. (An append may be
 * asked for less.) It has the parameters `lock_timeout` and `log`, and ends by making sure that the log is the caller's.
 */
export function durableFunctionSql(schema: string, header: string, body: string): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.${header}
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
BEGIN
${writingSql(schema)}
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
${lockedSql(schema, 1)}
${body}${sameLogSql(schema, 'log')}
END
$function$;
`;
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
