/**
 * `register_v1`: adds the collections that aren't registered yet, all or none, under the write lock. It answers with
 * what stands in the way: `changed` or `new`, and the collection's name; or `done`.
 */
import { sameLogSql } from './functions.ts';
import { durablyLockedSql } from './lock.ts';
import { FUNCTION_SETTINGS } from './settings.ts';

export const registerV1 = (schema: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.register_v1(
  lock_timeout text, names text[], definitions bigint[], keys text[], log uuid,
  OUT status text, OUT collection text
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_variable
BEGIN
  -- A server attaches by what it has registered: a crash mustn't take that back.
${durablyLockedSql(schema)}
  <<answer>>
  BEGIN
  SELECT given.name INTO collection
    FROM unnest(names, definitions, keys) WITH ORDINALITY AS given (name, definition, key, ordinal)
    JOIN ${schema}.registry r ON r.name = given.name
    WHERE r.definition <> given.definition OR r.key <> given.key
    ORDER BY given.ordinal LIMIT 1;
  IF collection IS NOT NULL THEN
    status := 'changed';
    EXIT answer;
  END IF;
  SELECT given.name INTO collection FROM unnest(names) WITH ORDINALITY AS given (name, ordinal)
    WHERE NOT EXISTS (SELECT FROM ${schema}.registry r WHERE r.name = given.name)
    ORDER BY given.ordinal LIMIT 1;
  IF collection IS NULL THEN
    status := 'done';
  ELSIF EXISTS (SELECT FROM ${schema}.commits) THEN
    status := 'new';
  ELSE
    INSERT INTO ${schema}.registry (name, definition, key)
      SELECT given.name, given.definition, given.key FROM unnest(names, definitions, keys) AS given (name, definition, key)
      ON CONFLICT (name) DO NOTHING;
    UPDATE ${schema}.meta m SET value = m.value + 1 WHERE m.name = 'generation';
    status := 'done';
  END IF;
  END answer;
${sameLogSql(schema, 'log')}
END
$function$;
`;
