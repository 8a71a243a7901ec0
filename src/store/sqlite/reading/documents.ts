/** Documents with their heads, ordered by collection, then id. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import type { DocumentHead, DocumentRef, DocumentsRange } from '../../store.ts';
import { pageRows } from '../../page-bounds.ts';
import { all } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { isCount } from '../values.ts';

export class Documents {
  readonly #collections;
  readonly #page;
  /** Of a retired keying, whose documents may have lost all their events. */
  readonly #pageOfRetired;

  constructor(database: DatabaseSync) {
    // There are few names; the subquery is one seek for each.
    this.#collections = database.prepare(
      `SELECT number, name, EXISTS (SELECT 1 FROM keyings k WHERE k.name = n.name AND k.state = 'retired') FROM names n
       WHERE name >= ? AND EXISTS (SELECT 1 FROM documents d WHERE d.collection = n.number) ORDER BY name`,
    );
    const page = (isListed: string) =>
      database.prepare(
        `SELECT d.id, (SELECT a.version FROM attachments a WHERE a.document = d.number ORDER BY a.version DESC LIMIT 1)
         FROM documents d WHERE d.collection = ? AND d.id > ? ${isListed} ORDER BY d.id LIMIT ?`,
      );
    this.#page = page('');
    this.#pageOfRetired = page('AND EXISTS (SELECT 1 FROM attachments a WHERE a.document = d.number)');
  }

  documents({ after, limit }: DocumentsRange): readonly DocumentHead[] {
    const most = pageRows(limit);
    const found: DocumentHead[] = [];
    const collections = all<[number, string, number]>(this.#collections, after?.collection ?? '');
    for (const [number, collection, isRetired] of collections) {
      if (typeof collection !== 'string') throw corrupt(`the name ${number} isn't valid`);
      const start = collection === after?.collection ? after.id : '';
      const page = isRetired ? this.#pageOfRetired : this.#page;
      for (const [id, head] of all<[string, number | null]>(page, number, start, most - found.length)) {
        if (head === null) throw corrupt('a document without events', { collection, id });
        if (typeof id !== 'string' || !isCount(head)) throw corrupt("an id or a version isn't valid", { collection });
        // A damaged index may lead back: then asking for the next page would never end.
        const last = found.at(-1) ?? after;
        if (last !== undefined && !comesAfter(collection, id, last)) {
          throw corrupt('an index is out of order', { collection, id });
        }
        found.push({ collection, id, head });
      }
      if (found.length >= most) break;
    }
    return found;
  }
}

function comesAfter(collection: string, id: string, last: DocumentRef): boolean {
  const [own, other] = collection === last.collection ? [id, last.id] : [collection, last.collection];
  return Buffer.compare(Buffer.from(own), Buffer.from(other)) > 0;
}
