/**
 * `fence_v1`: lets no append of a session be stored that was sent before, under a lower fence (fence.ts says why). The
 * write lock waits for those that are under way; those that arrive later find the row.
 *
 * Its own commit comes after theirs, and waits for standbys as an append does unless less is asked for. So what the ledger
 * says then has reached a standby, even if the waiting of an append was ended, or the primary crashed and is back.
 */
import { durableFunctionSql } from './lock.ts';

/** After so long no statement is still on its way. */
const KEPT = '1 day';

export const fenceV1 = (schema: string): string =>
  durableFunctionSql(
    schema,
    'fence_v1(session uuid, fence bigint, lock_timeout text, log uuid) RETURNS void',
    `  DELETE FROM ${schema}.fences f WHERE f.raised_at < now() - interval '${KEPT}';
  INSERT INTO ${schema}.fences AS f (session, fence, raised_at) VALUES (session, fence, now())
    ON CONFLICT ON CONSTRAINT fences_pkey DO UPDATE SET fence = greatest(f.fence, excluded.fence), raised_at = now();
`,
  );
