/** Documents with their heads, ordered by collection then id. */
import type { DatabaseSync } from 'node:sqlite';
import type { DocumentHead, DocumentsRange } from '../store.ts';
import { pageRows } from '../bounds.ts';
import { all } from './connection.ts';
import { corrupt } from './errors.ts';
import { isCount } from './values.ts';

export interface DocumentsTable {
  documents(range: DocumentsRange): readonly DocumentHead[];
}

export function documentsTable(database: DatabaseSync): DocumentsTable {
  // Names are few; the subquery is one seek for each.
  const collections = database.prepare(
    `SELECT id, name FROM names n
     WHERE name >= ? AND EXISTS (SELECT 1 FROM documents d WHERE d.collection = n.id) ORDER BY name`,
  );
  const page = database.prepare(
    `SELECT d.name, (SELECT a.version FROM attachments a WHERE a.document = d.id ORDER BY a.version DESC LIMIT 1)
     FROM documents d WHERE d.collection = ? AND d.name > ? ORDER BY d.name LIMIT ?`,
  );

  return {
    documents({ after, limit }) {
      const most = pageRows(limit);
      const found: DocumentHead[] = [];
      for (const [integer, collection] of all<[number, string]>(collections, after?.collection ?? '')) {
        if (typeof collection !== 'string') throw corrupt(`the name ${integer} is none`);
        const start = collection === after?.collection ? after.id : '';
        for (const [id, head] of all<[string, number | null]>(page, integer, start, most - found.length)) {
          if (head === null) throw corrupt('a document without events', { collection, id });
          if (typeof id !== 'string' || !isCount(head))
            throw corrupt('an id or a version that is none', { collection });
          found.push({ collection, id, head });
        }
        if (found.length >= most) break;
      }
      return found;
    },
  };
}
