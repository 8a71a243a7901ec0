/** What makes a log go by the name that its schema has now. */
import { lockSql } from '../writing/lock.ts';
import { schemaOf } from '../connecting/options.ts';
import { functions } from '../schema.ts';

/**
 * SQL for a log whose schema was renamed, or that was restored under another name: its functions are made again for
 * `schema`, where it is now. Until then they speak of the old name, and `open` refuses it (`WrongLog`). To be run by the
 * role that owns the schema, with no server at work on the log.
 *
 * @throws InvalidDefinition if the schema's name can't be one
 *
 * @example
 * ```ts
 * import { renamed } from 'tidemark/postgres';
 *
 * // To be run after ALTER SCHEMA shop RENAME TO shop_old.
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
