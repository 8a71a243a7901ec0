/** The event types that the log has ever held: the table `types`, which append_v1 writes. */
import { pageRows } from '../../page-bounds.ts';
import type { HeldType, TypesRange } from '../../store.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { above, count, text } from '../values.ts';

const PAGE: Reading = {
  name: 'types_v1',
  takes: 'bigint, int',
  gives: 'text, bigint, bigint',
  sql: (schema) => `
    SELECT n.name, t.position, t.succeeded FROM ${schema}.types t LEFT JOIN ${schema}.names n ON n.number = t.type
    WHERE t.position > $1 ORDER BY t.position LIMIT $2`,
};
export const TYPES: readonly Reading[] = [PAGE];

export class Types {
  async types(query: Calls, { after, limit }: TypesRange): Promise<readonly HeldType[]> {
    const rows = await query(PAGE, [above(after), String(pageRows(limit))]);
    return rows.map(([name, first, success]) => {
      const position = count(first, 'the first position of a type');
      const type = text(name, 'the name of a type', { position });
      if (success === null || success === undefined) return { type, position };
      const succeeded = count(success, 'the first success of a type', { position });
      if (succeeded < position) throw corrupt("an event type has a position that isn't valid", { position });
      return { type, position, succeeded };
    });
  }
}
