/**
 * The list of all documents, ordered by the UTF-8 bytes of collection, then id.
 */
import { pageRows } from '../../page-bounds.ts';
import type { DocumentHead, DocumentsRange, LogEnd } from '../../store.ts';
import { compareDocuments } from './order.ts';
import { countWhile, headAt } from '../schema.ts';
import type { Log } from '../schema.ts';

export function documents(log: Log, end: LogEnd, { after, limit }: DocumentsRange): readonly DocumentHead[] {
  const { listed } = log;
  if (!listed.sorted) {
    // Sorted when asked for, not at each append. What was sorted before is one run, so this costs little more than a pass.
    listed.rows.sort(compareDocuments);
    listed.sorted = true;
  }
  const rows = pageRows(limit);
  const found: DocumentHead[] = [];
  const from = after === undefined ? 0 : countWhile(listed.rows, (row) => compareDocuments(row, after) <= 0);
  for (let index = from; index < listed.rows.length && found.length < rows; index++) {
    const row = listed.rows[index]!;
    const head = headAt(row, end.position);
    if (head > 0) found.push({ collection: row.collection, id: row.id, head });
  }
  return found;
}
