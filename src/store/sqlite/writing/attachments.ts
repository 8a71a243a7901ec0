/**
 * The attachments of a batch, inserted in the order of their table's key. Neighbours then find their page where the one
 * before left it: with a thousand commits a batch this alone makes an append a fifth faster.
 */
import type { DatabaseSync } from 'node:sqlite';
import { corrupt } from '../errors.ts';
import { Inserts } from './insert.ts';

/** More documents than fit into a log; times the attachments of a batch it is still a whole number. */
const DOCUMENT_MAX = 2 ** 31;

export class Attachments {
  readonly #rows: Inserts;
  readonly #documents: number[] = [];
  /** Of each attachment version, position, type. */
  readonly #others: number[] = [];

  constructor(database: DatabaseSync) {
    this.#rows = new Inserts(database, 'attachments (document, version, position, type)', '(?,?,?,?)');
  }

  /** Versions of a document must be given in their order. */
  put(document: number, version: number, position: number, type: number): void {
    if (document > DOCUMENT_MAX) throw corrupt('a document has a number that was never given', { position });
    this.#documents.push(document);
    this.#others.push(version, position, type);
  }

  /** Inserts what was given. */
  flush(): void {
    const documents = this.#documents;
    const others = this.#others;
    const count = documents.length;
    // A document and where it stood in one number each, which a typed array sorts without asking anybody.
    const order = Float64Array.from(documents, (document, index) => document * count + index).sort();
    for (const key of order) {
      const index = key % count;
      this.#rows.put(documents[index]!);
      this.#rows.put(others[index * 3]!);
      this.#rows.put(others[index * 3 + 1]!);
      this.#rows.put(others[index * 3 + 2]!);
      this.#rows.endRow();
    }
    this.#rows.flush();
    this.clear();
  }

  /** Drops what wasn't inserted: of a batch that isn't stored. */
  clear(): void {
    this.#rows.clear();
    this.#documents.length = 0;
    this.#others.length = 0;
  }
}
