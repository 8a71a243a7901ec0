/**
 * `append_v1`: a batch in one call, which is one transaction and one round trip. The hot statement of the store. What it
 * takes and answers is in append-parameters.ts.
 *
 * The order matters. The lock comes first, then the end of the log: under READ COMMITTED each statement in here
 * sees what was committed before it began, so everything is read after the lock was given. (Under REPEATABLE READ the
 * snapshot would be older than the lock: two conflicting appends were both seen to succeed. So that is refused.)
 *
 * Each commit stands or falls alone. What falls has no position from then on, and is left out by that. Nothing of this costs
 * a statement where nothing is in the way.
 *
 * It has no RETURN: whatever the answer, the last statement asks whether it is of the log that was meant (functions.ts).
 */
import { FUNCTION_SETTINGS } from '../connecting/settings.ts';
import { sameLogSql } from '../functions.ts';
import { appendDeclaration } from './append-parameters.ts';
import { clockSql, documentsSql, endSql, fallenSql, knownSql, obstaclesSql, seenSql } from './judging.ts';
import { lockedSql, writingSql } from './lock.ts';
import { attachmentsSql, chainSql, commitsSql, eventsSql, newDocumentsSql, newNamesSql, typesSql } from './storing.ts';

/** Never less than the server's own disk, unless less is asked for. */
const durabilitySql = `
  IF durability IS NOT NULL THEN
    PERFORM set_config('synchronous_commit', durability, true);
  ELSIF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;`;

const VARIABLES = `
  name_numbers int[];
  handled_numbers int[];
  lists text[];
  point record;
  newest bigint;
  position bigint;
  recorded bigint;
  hash bytea;
  lost boolean[];
  fell boolean[];
  falls boolean;
  taken int;
  ground int := 1;
  taint int := 1;
  recorded_ats bigint[] := '{}';
  positions bigint[] := '{}';
  chain bytea[] := '{}';`;

export const appendV1 = (schema: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.append_v1(${appendDeclaration})
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
DECLARE${VARIABLES}
BEGIN
${writingSql(schema)}
  <<answer>>
  BEGIN
${durabilitySql}
${lockedSql(schema, 1)}
${[
  // Is it the log that the caller knows?
  endSql,
  seenSql,
  knownSql,
  documentsSql,
  // What stands in the way, and which commits fall with it?
  obstaclesSql,
  fallenSql,
  clockSql,
  // What stands is stored.
  newNamesSql,
  newDocumentsSql,
  chainSql,
  commitsSql,
  eventsSql,
  attachmentsSql,
  typesSql,
]
  .map((part) => part(schema))
  .join('')}
  status := 'stored';
  SELECT string_agg(given.hash, '') INTO hashes FROM unnest(chain) AS given (hash);
  END answer;
${sameLogSql(schema, 'log')}
END
$function$;
`;
