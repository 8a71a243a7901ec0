/** Makes a log work under its schema's new name. */
import { lockSql } from '../writing/lock.ts';
import { schemaOf } from '../connecting/options.ts';
import { functions } from '../schema.ts';

/**
 * SQL for a log whose schema was renamed, or that was restored under another name. It makes the log's functions again for
 * `schema`, the new name. Until then they use the old name, and `open` refuses the log (`WrongLog`). The role that owns the
 * schema must run it, while no server uses the log.
 *
 * @throws InvalidDefinition if the schema's name isn't valid
 *
 * @example
 * ```ts
 * import { renamed } from 'tidemark/postgres';
 *
 * // Run it after ALTER SCHEMA shop RENAME TO shop_old.
 * console.log(renamed('shop_old'));
 * ```
 */
export function renamed(schema: string): string {
  const within = schemaOf('renamed()', schema);
  return [
    'BEGIN;',
    `${lockSql(within)};`,
    functions(within),
    `UPDATE ${within}.log SET schema = '${schema}';`,
    'COMMIT;',
  ].join('\n');
}
