/**
 * `register_v1`: writes collections into the registry, all or none, under the write lock (`done`). If the registry's
 * generation isn't the one that the caller has judged by, or the log now holds what it mustn't, the caller has to judge again
 * (`moved`). The caller decides what to say of a collection that can't be registered.
 *
 * It checks itself that a registered collection only gets more types, since the role of any server may call it.
 */
import { TYPES_GONE } from '../failed.ts';
import { durableFunctionSql } from './lock.ts';

/** The types of a collection that aren't registered for it yet, as rows. */
const ADDED = `(
      SELECT jsonb_array_elements_text(given.handled::jsonb) EXCEPT SELECT jsonb_array_elements_text(r.handled::jsonb)
    ) UNION (
      SELECT jsonb_object_keys(given.key::jsonb -> 'types') EXCEPT SELECT jsonb_object_keys(r.key::jsonb -> 'types')
    )`;

// A server attaches events by what it has registered, so a crash mustn't undo that.
export const registerV1 = (schema: string): string =>
  durableFunctionSql(
    schema,
    `register_v1(
  lock_timeout text, generation bigint, names text[], definitions bigint[], keys text[], handled text[], log uuid,
  OUT status text
)`,
    `  status := 'moved';
  <<answer>>
  BEGIN
  IF generation IS DISTINCT FROM (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation') THEN
    EXIT answer;
  END IF;
  IF EXISTS (SELECT FROM ${schema}.commits) AND EXISTS (
      SELECT FROM unnest(names) AS given (name)
      WHERE NOT EXISTS (SELECT FROM ${schema}.registry r WHERE r.name = given.name)) THEN
    EXIT answer;
  END IF;
  IF EXISTS (
      SELECT FROM unnest(names, keys, handled) AS given (name, key, handled)
      JOIN ${schema}.registry r ON r.name = given.name
      CROSS JOIN LATERAL (${ADDED}) AS added (type)
      JOIN ${schema}.names n ON n.name = added.type
      JOIN ${schema}.types t ON t.type = n.number) THEN
    EXIT answer;
  END IF;
  IF EXISTS (
      SELECT FROM unnest(names, definitions, keys, handled) AS given (name, definition, key, handled)
      JOIN ${schema}.registry r ON r.name = given.name
      WHERE r.definition <> given.definition OR NOT given.handled::jsonb @> r.handled::jsonb
        OR (r.key <> given.key AND NOT (r.key::jsonb ? 'types' AND given.key::jsonb ? 'types'))
        OR r.key::jsonb -> 'types' <> (
          SELECT coalesce(jsonb_object_agg(known.type, given.key::jsonb -> 'types' -> known.type), '{}')
          FROM jsonb_object_keys(r.key::jsonb -> 'types') AS known (type))) THEN
    RAISE EXCEPTION 'a registered collection may only get more types' USING ERRCODE = '${TYPES_GONE}';
  END IF;
  IF cardinality(names) > 0 THEN
    INSERT INTO ${schema}.registry (name, definition, key, handled)
      SELECT given.name, given.definition, given.key, given.handled
        FROM unnest(names, definitions, keys, handled) AS given (name, definition, key, handled)
      ON CONFLICT (name) DO UPDATE SET key = excluded.key, handled = excluded.handled;
    UPDATE ${schema}.meta m SET value = m.value + 1 WHERE m.name = 'generation';
  END IF;
  status := 'done';
  END answer;
`,
  );
