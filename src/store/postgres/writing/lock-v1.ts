/**
 * `lock_v1`: takes the write lock for the transaction that it is called in, which is to say all that it does afterwards: the
 * work of several statements that can't be overtaken (exclusive.ts).
 */
import { durableFunctionSql } from './lock.ts';

export const lockV1 = (schema: string): string =>
  durableFunctionSql(schema, 'lock_v1(lock_timeout text, log uuid) RETURNS void', '');
