/**
 * The numbers of names and documents, with bounded caches, and the types that the log has held.
 *
 * A number never changes its meaning in a log that only grows. So the caches are right as long as the log contains the end that
 * was seen last: `follow` gets the end in each transaction. Each connection has its own caches, as one may see what another
 * hasn't committed yet.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Recent } from '../../../recent.ts';
import type { DocumentRef, LogPoint } from '../../store.ts';
import { GENESIS_HASH } from '../../chain.ts';
import { one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';

/**
 * How much a connection keeps in memory. Only the speed depends on it: what was forgotten is read again.
 *
 * `names`: most names, in each direction. `documents`: most documents, as numbers of each collection, by number, and as heads.
 */
export const CACHE_BOUNDS = { names: 10_000, documents: 200_000 };

export type CacheBounds = Readonly<typeof CACHE_BOUNDS>;

/** The start of every log. */
export const START: LogPoint = { position: 0, hash: GENESIS_HASH };

/** Where something was found, for a message of damage. */
type Where = Readonly<Record<string, unknown>>;

export class Interned {
  readonly #sql;
  readonly #max: number;
  readonly #numbers: Recent<string, number>;
  readonly #names: Recent<number, string>;
  /** Types that the log has held, and whether by a commit that succeeded. */
  readonly #types: Recent<number, boolean>;
  /** Collection → id → number. */
  readonly #documentNumbers = new Map<string, Recent<string, number>>();
  readonly #documents: Recent<number, DocumentRef>;
  #seen = START;

  constructor(database: DatabaseSync, bounds: CacheBounds) {
    this.#sql = {
      selectName: database.prepare('SELECT name FROM names WHERE number = ?'),
      selectNumber: database.prepare('SELECT number FROM names WHERE name = ?'),
      selectDocument: database.prepare('SELECT collection, id FROM documents WHERE number = ?'),
      selectDocumentNumber: database.prepare('SELECT number FROM documents WHERE collection = ? AND id = ?'),
      insertName: database.prepare('INSERT INTO names (name) VALUES (?)'),
      insertDocument: database.prepare('INSERT INTO documents (collection, id) VALUES (?, ?)'),
      holdType: database.prepare(
        `INSERT INTO types (type, position, succeeded) VALUES (?1, ?2, ?3)
         ON CONFLICT (type) DO UPDATE SET succeeded = coalesce(succeeded, ?3)`,
      ),
    };
    this.#max = bounds.documents;
    this.#numbers = new Recent(bounds.names);
    this.#names = new Recent(bounds.names);
    this.#types = new Recent(bounds.names);
    this.#documents = new Recent(bounds.documents);
  }

  /** Must be called in each transaction, with the end of the log, and with what knows whether a commit ends at a point. */
  follow(end: LogPoint, log: { holds(point: LogPoint): boolean }): void {
    if (end.hash !== this.#seen.hash && !(end.position > this.#seen.position && log.holds(this.#seen))) this.forget();
    this.#seen = end;
  }

  /** Must be called after an append, with the new end. */
  moved(end: LogPoint): void {
    this.#seen = end;
  }

  /** Drops the caches, after a transaction that was rolled back. */
  forget(): void {
    this.#numbers.clear();
    this.#names.clear();
    this.#types.clear();
    this.#documentNumbers.clear();
    this.#documents.clear();
    this.#seen = START;
  }

  /** The number of a name; undefined if it was never stored. */
  numberOf(name: string): number | undefined {
    const cached = this.#numbers.get(name);
    if (cached !== undefined) return cached;
    const row = one<[number]>(this.#sql.selectNumber, name);
    if (row !== undefined) this.#numbers.set(name, row[0]);
    return row?.[0];
  }

  /** The name of a number. @throws LogCorrupt if it has none */
  name(number: number, where: Where): string {
    const cached = this.#names.get(number);
    if (cached !== undefined) return cached;
    const row = one<[string]>(this.#sql.selectName, number);
    if (typeof row?.[0] !== 'string') throw corrupt(`the name ${number} doesn't exist`, where);
    this.#names.set(number, row[0]);
    return row[0];
  }

  /** The number of a document; undefined if it has no events. */
  documentNumber(collection: string, id: string): number | undefined {
    const cached = this.#documentNumbers.get(collection)?.get(id);
    if (cached !== undefined) return cached;
    const collectionNumber = this.numberOf(collection);
    if (collectionNumber === undefined) return undefined;
    const row = one<[number]>(this.#sql.selectDocumentNumber, collectionNumber, id);
    if (row !== undefined) this.#numbersIn(collection).set(id, row[0]);
    return row?.[0];
  }

  /** The document of a number. @throws LogCorrupt if it has none */
  document(number: number, where: Where): DocumentRef {
    const cached = this.#documents.get(number);
    if (cached !== undefined) return cached;
    const row = one<[number, string]>(this.#sql.selectDocument, number);
    if (typeof row?.[1] !== 'string') throw corrupt(`the document ${number} doesn't exist`, where);
    const ref = { collection: this.name(row[0], where), id: row[1] };
    this.#documents.set(number, ref);
    return ref;
  }

  /** Stores a name that may be new. Only with the write lock held. */
  addName(name: string): number {
    const stored = this.numberOf(name);
    if (stored !== undefined) return stored;
    const added = Number(this.#sql.insertName.run(name).lastInsertRowid);
    this.#numbers.set(name, added);
    return added;
  }

  /** Stores the type of an event that is being stored. Only with the write lock held. */
  addType(type: string, position: number, succeeded: boolean): number {
    const number = this.addName(type);
    const held = this.#types.get(number);
    if (held === undefined || (succeeded && !held)) {
      this.#sql.holdType.run(number, position, succeeded ? position : null);
      this.#types.set(number, succeeded);
    }
    return number;
  }

  /** Stores a document that may be new. Only with the write lock held. */
  addDocument(collection: string, id: string): number {
    const stored = this.documentNumber(collection, id);
    if (stored !== undefined) return stored;
    const added = Number(this.#sql.insertDocument.run(this.addName(collection), id).lastInsertRowid);
    this.#numbersIn(collection).set(id, added);
    return added;
  }

  #numbersIn(collection: string): Recent<string, number> {
    let numbers = this.#documentNumbers.get(collection);
    if (numbers === undefined) this.#documentNumbers.set(collection, (numbers = new Recent(this.#max)));
    return numbers;
  }
}
