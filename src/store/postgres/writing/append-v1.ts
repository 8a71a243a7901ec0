/**
 * `append_v1`: a batch in one call, which is one transaction and one round trip. The hot statement of the store. What it
 * takes and answers is in append-parameters.ts.
 *
 * The order matters: first the lock, then the end of the log. Under READ COMMITTED each statement sees what was committed
 * before it began, so all is read after the lock was given. (REPEATABLE READ is refused: its snapshot would be older than the
 * lock, and two conflicting appends were both seen to succeed.)
 *
 * Each commit stands or falls alone. A commit that falls gets no position, and so is left out of all that is stored. If
 * nothing falls, this costs no statement.
 *
 * It has no RETURN: whatever the answer is, the last statement checks that the log is the one that was meant (functions.ts).
 */
import { FUNCTION_SETTINGS } from '../connecting/settings.ts';
import { sameLogSql } from '../functions.ts';
import { appendDeclaration } from './append-parameters.ts';
import { clockSql, documentsSql, endSql, fallenSql, knownSql, obstaclesSql, seenSql } from './judging.ts';
import { lockedSql, writingSql } from './lock.ts';
import { attachmentsSql, chainSql, commitsSql, eventsSql, newDocumentsSql, newNamesSql, typesSql } from './storing.ts';

/** Waits for no less than the server's own disk, unless less is asked for. */
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
