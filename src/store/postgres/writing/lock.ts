/**
 * The write lock: a lock on the table `write_lock`, which is always empty. It ends with its transaction, so a server that
 * dies leaves nothing locked. PostgreSQL gives it first come, first served: no writer starves.
 *
 * Only functions with the rights of the owner take it. (Every role that may connect can take an advisory lock, and could stop
 * all writes; a role that may only read the table can't lock it against a writer.) EXCLUSIVE keeps no reader out: a dump of
 * the database neither waits nor makes a writer wait. Measured, an otherwise empty transaction takes 8 µs with an advisory
 * lock, 11 with this one, 12 with a row locked FOR NO KEY UPDATE, which also writes to the WAL; an append takes about 500.
 *
 * The writers of a session queue up here, so at most one of its connections waits for the lock, and the others are free for
 * reads: also for the reads of the work that holds the lock.
 */
import { HEARD } from '../connecting/connection.ts';
import { WRONG_ISOLATION } from '../failed.ts';
import { beginSql, sameFormatSql, sameLogSql } from '../functions.ts';
import { FUNCTION_SETTINGS } from '../connecting/settings.ts';

/** Takes the write lock for its transaction; only for the owner. `schema` is quoted. */
export function lockSql(schema: string): string {
  return `LOCK TABLE ${schema}.write_lock IN EXCLUSIVE MODE`;
}

/**
 * The beginning of a function that writes. It must run at READ COMMITTED, where what comes after the lock sees what was
 * committed before it. That notices are sent is a setting of the transaction: a setting of the function would be undone
 * before the commit waits for a standby. `log` and `lock_timeout` are parameters of the function.
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

/** Waits for the write lock. The function was made by format `format`: it refuses to write in a newer breaking one. */
export function lockedSql(schema: string, format: number): string {
  return `  ${lockSql(schema)};
${sameFormatSql(schema, format)}`;
}

/** Local variables and statements of a function that writes. It has the parameters `lock_timeout` and `log`. */
interface Body {
  readonly declares?: string;
  readonly does: string;
}

/** It checks at its beginning and its end that the log is the caller's. */
function functionSql(schema: string, header: string, begin: string, { declares = '', does }: Body): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.${header}
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
${declares && `DECLARE ${declares}\n`}BEGIN
${writingSql(schema)}
${begin}
${does}${sameLogSql(schema, 'log')}
END
$function$;
`;
}

/**
 * A function that writes, but no events: under the lock, and on stable storage whatever the default is. (An append may be
 * asked for less.)
 */
export function durableFunctionSql(schema: string, header: string, body: Body): string {
  const durable = `  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
${lockedSql(schema, 1)}`;
  return functionSql(schema, header, durable, body);
}

/**
 * A function that writes beside the log: without the lock, so appends don't wait for it, and not on stable storage when it
 * answers. In the write-ahead log its commit comes after the appends whose events it has seen: it never outlives them.
 */
export function besideFunctionSql(schema: string, header: string, body: Body): string {
  const begin = `  PERFORM set_config('synchronous_commit', 'off', true);
${sameFormatSql(schema, 1)}`;
  return functionSql(schema, header, begin, body);
}

/** `lock_v1`: takes the write lock for the transaction that calls it, for work of several statements (exclusive.ts). */
export const lockV1 = (schema: string): string =>
  durableFunctionSql(schema, 'lock_v1(lock_timeout text, log uuid) RETURNS void', { does: '' });

/**
 * `fence_v1`: no append of a session that was sent before, under a lower fence, can be stored any more (fence.ts says why).
 * The write lock waits for the appends under way; those that arrive later find the row.
 *
 * Its own commit comes after theirs, and waits for standbys as an append does unless less is asked for. So what the ledger
 * says then has reached a standby, even if the waiting of an append was ended, or the primary crashed and is back. Rows are
 * kept for a day: after that no statement is still on its way.
 */
export const fenceV1 = (schema: string): string =>
  durableFunctionSql(schema, 'fence_v1(session uuid, fence bigint, lock_timeout text, log uuid) RETURNS void', {
    does: `  DELETE FROM ${schema}.fences f WHERE f.raised_at < now() - interval '1 day';
  INSERT INTO ${schema}.fences AS f (session, fence, raised_at) VALUES (session, fence, now())
    ON CONFLICT ON CONSTRAINT fences_pkey DO UPDATE SET fence = greatest(f.fence, excluded.fence), raised_at = now();
`,
  });

/** One thing at a time, in the order asked for. */
export class Queue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when all that has been asked for is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
