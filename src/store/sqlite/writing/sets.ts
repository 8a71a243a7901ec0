/** Moves sets of stored documents on. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import type { IndexEntry, LogPoint, SetStep, Stepped, StoredDocument } from '../../store.ts';
import { all } from '../connecting/connection.ts';
import type { Commits } from '../reading/commits.ts';
import type { StoredDocuments } from '../reading/stored.ts';
import { Inserts } from './insert.ts';
import { PIECE_ROWS, Pieces } from './pieces.ts';
import type { RegistryEntries } from './registry.ts';

/** The columns, and how a value is written. */
const STORED = { document_set: '?', id: '?', version: '?', changed: '?', failed: '?', state: '?' };

/** What a step needs of its connection. */
interface Parts {
  readonly commits: Commits;
  readonly registry: RegistryEntries;
  readonly stored: StoredDocuments;
}

export class Sets {
  readonly #sql;
  /** Many rows by a statement: a row by a statement took a fifth longer, all rows as one JSON text half as much again. */
  readonly #documents: Inserts<keyof typeof STORED>;
  readonly #parts: Parts;

  constructor(database: DatabaseSync, parts: Parts) {
    this.#sql = {
      move: database.prepare('UPDATE sets SET position = ?, hash = ? WHERE number = ?'),
      indexes: database.prepare('SELECT number FROM indexes WHERE document_set = ?'),
      drop: database.prepare('DELETE FROM entries WHERE number = ? AND key = ?'),
      enter: database.prepare(
        `INSERT INTO entries (number, key, document)
         VALUES (?, ?, (SELECT number FROM stored WHERE document_set = ? AND id = ?)) ON CONFLICT (number, key) DO NOTHING`,
      ),
    };
    this.#documents = new Inserts(
      database,
      'stored',
      STORED,
      `ON CONFLICT (document_set, id) DO UPDATE SET
         version = excluded.version, changed = excluded.changed, failed = excluded.failed, state = excluded.state`,
    );
    this.#parts = parts;
  }

  /**
   * With the write lock held. Only what is `stored` may be committed. Many documents are stored in several pieces, with turns of the
   * event loop, after which `assertGoing` is called.
   */
  async advance(step: SetStep, assertGoing: () => void): Promise<Stepped> {
    const { set, generation, from, to, seen, documents, dropped, added } = step;
    const { commits, registry, stored } = this.#parts;
    if (to.position > seen.position || !commits.holds(seen)) return 'diverged';
    const place = generation === registry.generation() ? stored.place(set) : undefined;
    if (place === undefined) return 'behind';
    if (!isAt(place, from)) return 'moved';
    if (!isAt(to, from)) this.#sql.move.run(to.position, Buffer.from(to.hash, 'hex'), set);
    const pieces = new Pieces(assertGoing);
    await this.#put(set, documents, pieces);
    for (const { index, key } of dropped) {
      this.#sql.drop.run(index, key);
      if (pieces.isOver()) await pieces.turn();
    }
    for (let at = 0; at < added.length; at += PIECE_ROWS) {
      this.enter(set, added.slice(at, at + PIECE_ROWS));
      if (pieces.isOver(PIECE_ROWS)) await pieces.turn();
    }
    return 'stored';
  }

  /** Adds entries for documents of a set to those of its indexes that are registered. */
  enter(set: number, entries: readonly IndexEntry[]): void {
    if (entries.length === 0) return;
    const known = new Set(all<[number]>(this.#sql.indexes, set).map(([number]) => number));
    for (const { index, key, id } of entries) if (known.has(index)) this.#sql.enter.run(index, key, set, id);
  }

  async #put(set: number, documents: readonly StoredDocument[], pieces: Pieces): Promise<void> {
    try {
      for (const { id, version, changed, failed = null, state } of documents) {
        this.#documents.add({ document_set: set, id, version, changed, failed, state });
        if (pieces.isOver()) await pieces.turn();
      }
      this.#documents.flush();
    } finally {
      this.#documents.clear();
    }
  }
}

function isAt(place: LogPoint, other: LogPoint): boolean {
  return place.position === other.position && place.hash === other.hash;
}
