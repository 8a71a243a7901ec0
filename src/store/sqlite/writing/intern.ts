/**
 * Names and document ids as the integers they are stored as, with bounded caches of them, and of which names are types
 * that the log has held.
 *
 * An integer never changes its meaning in a log that only grows. So the caches hold as long as the log still contains
 * the end that was seen last: `follow` is told the end in each transaction. Each connection has its own, since one
 * may see what another hasn't committed yet.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Bounded } from '../../../bounded.ts';
import type { DocumentRef, LogPoint } from '../../store.ts';
import { GENESIS_HASH } from '../../chain.ts';
import { one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';

/** How much a connection keeps in memory. Only speed hangs on it: what was forgotten is asked for again. */
export interface CacheBounds {
  /** Most names, in each direction. */
  readonly names: number;
  /** Most documents: ids of each collection, documents by their integers, and heads. */
  readonly documents: number;
}

export const CACHE_BOUNDS: CacheBounds = { names: 10_000, documents: 200_000 };

/** The start of every log. */
export const START: LogPoint = { position: 0, hash: GENESIS_HASH };

export interface Interned {
  /** To be told the end of the log in each transaction; `holds` says whether the log has a commit that ends there. */
  follow(end: LogPoint, holds: (point: LogPoint) => boolean): void;
  /** Drops the caches, after a transaction that was rolled back. */
  forget(): void;
  /** The integer of a name; undefined if it was never stored. */
  nameId(name: string): number | undefined;
  /** The name of an integer. Throws `LogCorrupt` if it has none. */
  name(id: number, where: Readonly<Record<string, unknown>>): string;
  /** The integer of a document; undefined if it has no events. */
  documentId(collection: string, id: string): number | undefined;
  /** The document of an integer. Throws `LogCorrupt` if it has none. */
  document(id: number, where: Readonly<Record<string, unknown>>): DocumentRef;
  /** Stores a name that may be new. Only with the write lock held. */
  addName(name: string): number;
  /** The same for the type of an event that is being stored, which the log then has held. */
  addType(type: string, position: number, succeeded: boolean): number;
  /** Stores a document that may be new. Only with the write lock held. */
  addDocument(collection: string, id: string): number;
}

export function interned(database: DatabaseSync, bounds: CacheBounds): Interned {
  const selectName = database.prepare('SELECT name FROM names WHERE number = ?');
  const selectNameId = database.prepare('SELECT number FROM names WHERE name = ?');
  const selectDocument = database.prepare('SELECT collection, id FROM documents WHERE number = ?');
  const selectDocumentId = database.prepare('SELECT number FROM documents WHERE collection = ? AND id = ?');
  const insertName = database.prepare('INSERT INTO names (name) VALUES (?)');
  const holdType = database.prepare(
    `INSERT INTO types (type, position, succeeded) VALUES (?1, ?2, ?3)
     ON CONFLICT (type) DO UPDATE SET succeeded = coalesce(succeeded, ?3)`,
  );
  const insertDocument = database.prepare('INSERT INTO documents (collection, id) VALUES (?, ?)');

  const nameIds = new Bounded<string, number>(bounds.names);
  const names = new Bounded<number, string>(bounds.names);
  /** Types that the log has held: whether by a commit that succeeded. */
  const types = new Bounded<number, boolean>(bounds.names);
  const documentIds = new Map<string, Bounded<string, number>>();
  const documents = new Bounded<number, DocumentRef>(bounds.documents);
  let seen = START;

  const forget = (): void => {
    nameIds.clear();
    names.clear();
    types.clear();
    documentIds.clear();
    documents.clear();
    seen = START;
  };

  const idsOf = (collection: string): Bounded<string, number> => {
    let ids = documentIds.get(collection);
    if (ids === undefined) documentIds.set(collection, (ids = new Bounded(bounds.documents)));
    return ids;
  };

  const nameId = (name: string): number | undefined => {
    const cached = nameIds.get(name);
    if (cached !== undefined) return cached;
    const row = one<[number]>(selectNameId, name);
    if (row !== undefined) nameIds.set(name, row[0]);
    return row?.[0];
  };

  const name = (id: number, where: Readonly<Record<string, unknown>>): string => {
    const cached = names.get(id);
    if (cached !== undefined) return cached;
    const row = one<[string]>(selectName, id);
    if (typeof row?.[0] !== 'string') throw corrupt(`the name ${id} doesn't exist`, where);
    names.set(id, row[0]);
    return row[0];
  };

  const documentId = (collection: string, id: string): number | undefined => {
    const cached = documentIds.get(collection)?.get(id);
    if (cached !== undefined) return cached;
    const collectionId = nameId(collection);
    if (collectionId === undefined) return undefined;
    const row = one<[number]>(selectDocumentId, collectionId, id);
    if (row !== undefined) idsOf(collection).set(id, row[0]);
    return row?.[0];
  };

  const document = (id: number, where: Readonly<Record<string, unknown>>): DocumentRef => {
    const cached = documents.get(id);
    if (cached !== undefined) return cached;
    const row = one<[number, string]>(selectDocument, id);
    if (typeof row?.[1] !== 'string') throw corrupt(`the document ${id} doesn't exist`, where);
    const ref = { collection: name(row[0], where), id: row[1] };
    documents.set(id, ref);
    return ref;
  };

  const addName = (name: string): number => {
    const stored = nameId(name);
    if (stored !== undefined) return stored;
    const id = Number(insertName.run(name).lastInsertRowid);
    nameIds.set(name, id);
    return id;
  };

  const addType = (type: string, position: number, succeeded: boolean): number => {
    const id = addName(type);
    const held = types.get(id);
    if (held === undefined || (succeeded && !held)) {
      holdType.run(id, position, succeeded ? position : null);
      types.set(id, succeeded);
    }
    return id;
  };

  const addDocument = (collection: string, id: string): number => {
    const stored = documentId(collection, id);
    if (stored !== undefined) return stored;
    const added = Number(insertDocument.run(addName(collection), id).lastInsertRowid);
    idsOf(collection).set(id, added);
    return added;
  };

  return {
    follow(end, holds) {
      if (end.hash !== seen.hash && !(end.position > seen.position && holds(seen))) forget();
      seen = end;
    },
    forget,
    nameId,
    name,
    documentId,
    document,
    addName,
    addType,
    addDocument,
  };
}
