/** What a role needs to use a log that another role has made. */
import { InvalidDefinition } from '../../../errors.ts';
import { schemaOf } from '../connecting/options.ts';
import { quoted } from '../schema.ts';

/**
 * SQL that lets `role` read and append to the log in `schema`, and nothing else: it may not change or delete what is
 * stored, nor the tables. The role that owns the schema must run it, and again after each upgrade.
 *
 * @throws InvalidDefinition if the schema's or the role's name isn't valid
 *
 * @example
 * ```ts
 * import { grants } from 'tidemark/postgres';
 *
 * console.log(grants('tidemark', 'shop_server'));
 * ```
 */
export function grants(schema: string, role: string): string {
  const within = schemaOf('grants()', schema);
  if (typeof role !== 'string' || role === '' || role.includes('\0')) {
    throw new InvalidDefinition('grants() needs the name of a role.', { role: typeof role });
  }
  const to = quoted(role);
  return [
    `GRANT USAGE ON SCHEMA ${within} TO ${to};`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${within} TO ${to};`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${within} TO ${to};`,
  ].join('\n');
}
