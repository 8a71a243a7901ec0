/** All documents, ordered by the UTF-8 bytes of collection, then id. */
import { pageRows } from '../../page-bounds.ts';
import type { DocumentHead, DocumentsRange, LogEnd } from '../../store.ts';
import { compareDocuments } from './order.ts';
import { countWhile, headAt, type DocumentRow, type Log } from '../schema.ts';

export class Documents {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  documents(end: LogEnd, { after, limit }: DocumentsRange): readonly DocumentHead[] {
    const rows = this.#sorted();
    const most = pageRows(limit);
    const found: DocumentHead[] = [];
    const from = after === undefined ? 0 : countWhile(rows, (row) => compareDocuments(row, after) <= 0);
    for (let index = from; index < rows.length && found.length < most; index++) {
      const row = rows[index]!;
      const head = headAt(row, end.position);
      if (head > 0) found.push({ collection: row.collection, id: row.id, head });
    }
    return found;
  }

  /** Sorted when needed, not at each append. Most is already sorted, so this costs little more than one pass. */
  #sorted(): readonly DocumentRow[] {
    const { listed } = this.#log;
    if (!listed.sorted) listed.rows.sort(compareDocuments);
    listed.sorted = true;
    return listed.rows;
  }
}
