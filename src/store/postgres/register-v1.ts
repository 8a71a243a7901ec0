/**
 * `register_v1`: adds the collections that aren't registered yet, all or none, under the write lock. It answers with
 * what stands in the way: `changed` or `new`, and the collection's name; or `done`.
 */
import { durablyLockedSql } from './lock.ts';

export const registerV1 = (schema: string): string => `
CREATE FUNCTION ${schema}.register_v1(
  lock_timeout text, names text[], definitions bigint[], keys text[],
  OUT status text, OUT collection text
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_variable
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'register_v1 must run at READ COMMITTED' USING ERRCODE = 'TM001';
  END IF;
  -- A server attaches by what it has registered: a crash mustn't take that back.
${durablyLockedSql(schema, 1)}
  SELECT given.name INTO collection
    FROM unnest(names, definitions, keys) WITH ORDINALITY AS given (name, definition, key, ordinal)
    JOIN ${schema}.registry r ON r.name = given.name
    WHERE r.definition <> given.definition OR r.key <> given.key
    ORDER BY given.ordinal LIMIT 1;
  IF collection IS NOT NULL THEN
    status := 'changed';
    RETURN;
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
END
$function$;
`;
