/**
 * Settings that a role, a database, a pooler or another user of a connection may have changed, and what is done about it:
 *
 * - Functions state the settings that their answers or speed need ({@link FUNCTION_SETTINGS}). Functions that write also
 *   state, in their bodies, what must hold until the commit is over (`lock.ts`).
 * - A transaction of several statements states the rest when it begins ({@link beginSettings}). A single call is its own
 *   transaction, in one round trip: if a timeout or a wrong isolation level stopped it, it is run again with all that stated
 *   (`transactions.ts`).
 * - What can't be stated is refused by name: at open (`open.ts`), and by the functions if the encoding is changed later.
 *
 * All other settings may have any value: no statement depends on them (no backslash in a string, no `bytea`, time or number
 * shown as text, no name looked up along a search path).
 */

/**
 * Plans are made once, perhaps on empty tables: so the planner is told to seek. JIT would compile any remaining scan at each
 * call. A page of the log fits into `work_mem`, so it needs no temporary files. If row security hides a row, that is an error.
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
  /** How long it may wait for a lock. By default as long as a statement may take. */
  readonly lockTimeoutMs?: number | undefined;
  /** How long the pause between two statements may be. By default as long as a statement may take. */
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
