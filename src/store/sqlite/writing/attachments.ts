/**
 * The attachments of a batch, inserted in the order of their table's key, so that neighbours use the same page: with a thousand
 * commits in a batch, this alone makes an append a fifth faster.
 */
import type { DatabaseSync } from 'node:sqlite';
import { corrupt } from '../errors.ts';
import { Inserts } from './insert.ts';

/** More documents than fit into a log; times the attachments of a batch it is still a safe integer. */
const DOCUMENT_MAX = 2 ** 31;

/** A row of the table, by its columns. */
type AttachmentRow = {
  readonly document: number;
  readonly version: number;
  readonly position: number;
  readonly type: number;
};

export class Attachments {
  readonly #inserts: Inserts<keyof AttachmentRow>;
  #rows: AttachmentRow[] = [];

  constructor(database: DatabaseSync) {
    const columns = { document: '?', version: '?', position: '?', type: '?' };
    this.#inserts = new Inserts(database, 'attachments', columns);
  }

  /** The versions of a document must come in their order. */
  add(row: AttachmentRow): void {
    const { document, position } = row;
    if (document > DOCUMENT_MAX) throw corrupt('a document has a number that was never given', { position });
    this.#rows.push(row);
  }

  flush(): void {
    const rows = this.#rows;
    const count = rows.length;
    // One number for document and index: a typed array sorts numbers without a callback.
    const order = Float64Array.from(rows, ({ document }, index) => document * count + index).sort();
    for (const key of order) this.#inserts.add(rows[key % count]!);
    this.#inserts.flush();
    this.clear();
  }

  /** Drops the rows that are left, of a batch that isn't stored. */
  clear(): void {
    this.#inserts.clear();
    this.#rows = [];
  }
}
