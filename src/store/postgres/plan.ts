/**
 * Settings of the functions that a log's speed rests on. Their plans are made once, when the tables may be empty yet: so
 * they are told to seek. JIT would compile whatever scan is left at each call.
 */
export const SEEKING = `SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off`;
