/**
 * Settings that a role, a database, a pooler or another user of a connection may have changed, and what is done about it:
 *
 * - Functions state what their answers or their speed rest on ({@link FUNCTION_SETTINGS}); those that write state in their
 *   bodies what must hold until the commit is over (`lock.ts`).
 * - A transaction of several statements states the rest when it begins ({@link beginSettings}). A call alone is a
 *   transaction of its own, in one round trip: it is run again with all that stated where a timeout has cut it short or
 *   its isolation level was wrong (`transactions.ts`).
 * - What can't be stated is refused by name: at open (`open.ts`), and by the functions for a connection whose encoding is
 *   changed later.
 *
 * Everything else may be set in any way: no statement of ours rests on it (no backslash in a string, no `bytea`, time or
 * number shown as text, no name of ours looked for along a search path).
 */

/**
 * Their plans are made once, when the tables may be empty yet: so they are told to seek. JIT would compile whatever scan is
 * left at each call. A page of the log fits into `work_mem`, wherever temporary files may not grow. Row security that hides
 * a row is an error.
 */
export const FUNCTION_SETTINGS = `SET search_path = pg_catalog, pg_temp
SET row_security = off
SET work_mem = '16MB'
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_nestloop = on
SET enable_indexscan = on
SET enable_indexonlyscan = on
SET max_parallel_workers_per_gather = 0
SET jit = off`;

export interface TransactionSettings {
  /** How long a statement may take, in milliseconds. */
  readonly statementTimeoutMs: number;
  /** How long it may wait for a lock; as long as a statement may take, if it isn't given. */
  readonly lockTimeoutMs?: number | undefined;
  /** How long there may be a pause between two statements; the same. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Statements for the beginning of a transaction. Older versions have no `transaction_timeout`. */
export function beginSettings({ statementTimeoutMs, lockTimeoutMs, idleTimeoutMs }: TransactionSettings): string {
  return `SET LOCAL search_path = pg_catalog, pg_temp;
    SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('transaction_timeout', true) IS NOT NULL;
    SET LOCAL statement_timeout = ${statementTimeoutMs};
    SET LOCAL lock_timeout = ${lockTimeoutMs ?? statementTimeoutMs};
    SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs ?? statementTimeoutMs};
    SET LOCAL client_min_messages = notice;
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL row_security = off`;
}
