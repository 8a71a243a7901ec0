/** Documents with their heads, ordered by collection then id. */
import { pageRows } from '../../page-bounds.ts';
import type { DocumentHead, DocumentsRange } from '../../store.ts';
import type { Calls, Reading } from '../functions.ts';
import { headSql } from './load.ts';
import { count, text } from '../values.ts';

const PAGE: Reading = {
  name: 'documents_v1',
  takes: 'text, text, int',
  gives: 'text, text, bigint',
  // There are few names; one seek for each tells whether it is a keying's. Documents of a retired one lose their events.
  sql: (schema) => `
    SELECT c.name, d.id, ${headSql(schema, 'd.number')}
    FROM (
      SELECT n.number, n.name FROM ${schema}.names n
      WHERE n.name >= $1 AND EXISTS (SELECT FROM ${schema}.documents d WHERE d.collection = n.number)
        AND NOT EXISTS (SELECT FROM ${schema}.keyings k WHERE k.name = n.name AND k.state = 'retired')
    ) c
    CROSS JOIN LATERAL (
      SELECT d.number, d.id FROM ${schema}.documents d
      WHERE d.collection = c.number AND d.id > CASE WHEN c.name = $1 THEN $2 ELSE '' END
      ORDER BY d.id LIMIT $3
    ) d
    ORDER BY c.name, d.id LIMIT $3`,
};
export const DOCUMENTS: readonly Reading[] = [PAGE];

export class Documents {
  async documents(query: Calls, { after, limit }: DocumentsRange): Promise<readonly DocumentHead[]> {
    const rows = await query(PAGE, [after?.collection ?? '', after?.id ?? '', String(pageRows(limit))]);
    return rows.map(([collection, id, head]) => {
      const where = { collection, id };
      return {
        collection: text(collection, 'a name', where),
        id: text(id, 'an id', where),
        head: count(head, 'the head of a document', where),
      };
    });
  }
}
