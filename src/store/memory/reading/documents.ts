/** All documents, ordered by the UTF-8 bytes of collection, then id. */
import { pageRows } from '../../page-bounds.ts';
import type { DocumentHead, DocumentsRange, LogEnd } from '../../store.ts';
import { compareDocuments } from './order.ts';
import { merged } from './sorting.ts';
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

  /** Sorts what has come since the last time, when it is needed. Yields between pieces. */
  *sort(): Generator<undefined, readonly DocumentRow[], undefined> {
    const { listed } = this.#log;
    while (listed.sorted.length < listed.rows.length) {
      const { sorted } = listed;
      const all = yield* merged(sorted, listed.rows.slice(sorted.length));
      // Another call may have sorted more meanwhile.
      if (all.length > listed.sorted.length) listed.sorted = all;
    }
    return listed.sorted;
  }

  /** What came after the pieces is little. */
  #sorted(): readonly DocumentRow[] {
    const pieces = this.sort();
    for (;;) {
      const { done, value } = pieces.next();
      if (done) return value;
    }
  }
}
