/**
 * `lock_v1`: takes the write lock for the transaction that it is called in, which is to say all that it does afterwards: the
 * work of several statements that can't be overtaken (exclusive.ts).
 */
import { sameLogSql } from './functions.ts';
import { durablyLockedSql } from './lock.ts';
import { FUNCTION_SETTINGS } from './settings.ts';

export const lockV1 = (schema: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.lock_v1(lock_timeout text, log uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
BEGIN
${durablyLockedSql(schema, 1)}
${sameLogSql(schema, 'log')}
END
$function$;
`;
