/**
 * `change_v1`: writes a change of the registry, all or nothing, under the write lock. What is to be changed was judged in the same
 * transaction, after `lock_v1` (registry.ts).
 *
 * A set has its row in `sets` as long as a definition has the set. It holds the generation too, so that a step of a set checks
 * and moves one row (sets.ts): whoever raises the generation waits for the steps under way, and those that come later see it.
 */
import { GENESIS_HASH } from '../../chain.ts';
import { durableFunctionSql } from './lock.ts';

/** Raises the registry's generation. Only with the write lock held. */
export const raiseSql = (schema: string): string => `
    UPDATE ${schema}.meta m SET value = m.value + 1 WHERE m.name = 'generation';
    UPDATE ${schema}.sets s SET generation = (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation');`;

/** A keying that is retired now has attachments to be swept, of documents with any id. */
const keyingsSql = (schema: string): string => `
  INSERT INTO ${schema}.keyings AS k (name, collection, key, definition, state, filled, unswept)
    SELECT given.*, CASE WHEN given.state = 'retired' THEN '' END
      FROM json_to_recordset(keyings)
        AS given (name text, collection text, key text, definition bigint, state text, filled bigint)
    ON CONFLICT ON CONSTRAINT keyings_pkey DO UPDATE SET
      collection = excluded.collection, key = excluded.key, definition = excluded.definition, state = excluded.state,
      filled = excluded.filled,
      unswept = CASE WHEN k.state = 'retired' AND excluded.state = 'retired' THEN k.unswept ELSE excluded.unswept END;`;

const definitionsSql = (schema: string): string => `
  INSERT INTO ${schema}.definitions (id, collection, definition, handled, keying, document_set, rebuilt, rebuild_note,
      used_at)
    SELECT given.* FROM json_to_recordset(definitions) AS given (
        id bigint, collection text, definition bigint, handled text, keying text, document_set bigint, rebuilt bigint,
        rebuild_note text, used_at bigint)
    ON CONFLICT ON CONSTRAINT definitions_pkey DO UPDATE SET
      collection = excluded.collection, definition = excluded.definition, handled = excluded.handled,
      keying = excluded.keying, document_set = excluded.document_set, rebuilt = excluded.rebuilt,
      rebuild_note = excluded.rebuild_note, used_at = excluded.used_at;`;

const indexesSql = (schema: string): string => `
  INSERT INTO ${schema}.indexes (number, document_set, fields, state, filled, used_at)
    SELECT given.* FROM json_to_recordset(indexes)
        AS given (number bigint, document_set bigint, fields text, state text, filled text, used_at bigint)
    ON CONFLICT ON CONSTRAINT indexes_pkey DO UPDATE SET
      document_set = excluded.document_set, fields = excluded.fields, state = excluded.state, filled = excluded.filled,
      used_at = excluded.used_at;`;

/** The sets that definitions have. A new one is at place 0. */
const setsSql = (schema: string): string => `
  DELETE FROM ${schema}.sets s
    WHERE NOT EXISTS (SELECT FROM ${schema}.definitions d WHERE s.number IN (d.document_set, d.rebuilt));
  INSERT INTO ${schema}.sets (number, generation, position, hash)
    SELECT DISTINCT needed.number, m.value, 0, decode('${GENESIS_HASH}', 'hex')
      FROM ${schema}.meta m, ${schema}.definitions d, unnest(ARRAY[d.document_set, d.rebuilt]) AS needed (number)
      WHERE m.name = 'generation' AND needed.number IS NOT NULL
    ON CONFLICT ON CONSTRAINT sets_pkey DO NOTHING;`;

export const changeV1 = (schema: string): string =>
  durableFunctionSql(
    schema,
    `change_v1(
  lock_timeout text, raises boolean, last bigint, keyings json, definitions json, indexes json, removed bigint[], log uuid
) RETURNS void`,
    {
      does: `  UPDATE ${schema}.meta m SET value = last WHERE m.name = 'last' AND m.value <> last;
  IF raises THEN${raiseSql(schema)}
  END IF;${[keyingsSql, definitionsSql, indexesSql].map((part) => part(schema)).join('')}
  DELETE FROM ${schema}.definitions d WHERE d.id = ANY (removed);
  DELETE FROM ${schema}.indexes i WHERE i.number = ANY (removed);${setsSql(schema)}
`,
    },
  );
