/**
 * The attachments of a batch, inserted in the order of their table's key. Neighbours then find their page where the one
 * before left it: with a thousand commits a batch this alone makes an append a fifth faster.
 */
import type { DatabaseSync } from 'node:sqlite';
import { corrupt } from '../errors.ts';
import { Inserts } from './insert.ts';

/** More documents than fit into a log; times the attachments of a batch it is still a whole number. */
const DOCUMENT_MAX = 2 ** 31;

/** A row of the table, by its columns. */
export type AttachmentRow = {
  readonly document: number;
  readonly version: number;
  readonly position: number;
  readonly type: number;
};

export class Attachments {
  readonly #inserts: Inserts<AttachmentRow>;
  #rows: AttachmentRow[] = [];

  constructor(database: DatabaseSync) {
    const columns = { document: '?', version: '?', position: '?', type: '?' };
    this.#inserts = new Inserts(database, 'attachments', columns);
  }

  /** Versions of a document must be given in their order. */
  add(row: AttachmentRow): void {
    const { document, position } = row;
    if (document > DOCUMENT_MAX) throw corrupt('a document has a number that was never given', { position });
    this.#rows.push(row);
  }

  /** Inserts what was given. */
  flush(): void {
    const rows = this.#rows;
    const count = rows.length;
    // A document and where it stood in one number each, which a typed array sorts without asking anybody.
    const order = Float64Array.from(rows, ({ document }, index) => document * count + index).sort();
    for (const key of order) this.#inserts.add(rows[key % count]!);
    this.#inserts.flush();
    this.clear();
  }

  /** Drops what wasn't inserted: of a batch that isn't stored. */
  clear(): void {
    this.#inserts.clear();
    this.#rows = [];
  }
}
