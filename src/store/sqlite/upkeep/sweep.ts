/** Removes what the registry doesn't need any more, a few milliseconds at a time. */
import { performance } from 'node:perf_hooks';
import type { DatabaseSync } from 'node:sqlite';
import { all, one } from '../connecting/connection.ts';
import type { RegistryEntries } from '../writing/registry.ts';

/** How long a call may go on before it stops at the next piece, in milliseconds. */
const STINT_MS = 3;
/** Rows of one piece: states may be long, the other rows are short. */
const STORED_ROWS = 20;
const SHORT_ROWS = 200;

/** A number of a table that isn't in a list any more, found without reading all rows. */
function left(table: string, column: string, kept: string): string {
  return `WITH RECURSIVE found (value) AS (
      SELECT min(t.${column}) FROM ${table} t UNION ALL
      SELECT (SELECT min(t.${column}) FROM ${table} t WHERE t.${column} > found.value) FROM found WHERE found.value NOT NULL)
    SELECT value FROM found WHERE value NOT NULL AND value NOT IN (${kept}) LIMIT 1`;
}

export interface Swept {
  /** Whether anything was removed. */
  readonly removed: boolean;
  /** Whether more may be left. */
  readonly more: boolean;
}

/** With the write lock held. */
export class Sweeping {
  readonly #sql;
  readonly #registry: RegistryEntries;
  /** The last id of each retired keying up to which its documents have no events; undefined once all have none. */
  readonly #reached = new Map<number, string | undefined>();
  /** The generation in which that was seen: a keying that comes back has events again. */
  #generation = -1;

  constructor(database: DatabaseSync, registry: RegistryEntries) {
    const keptIndexes = 'SELECT number FROM indexes WHERE document_set IN (SELECT number FROM sets)';
    this.#sql = {
      leftSet: database.prepare(left('stored', 'document_set', 'SELECT number FROM sets')),
      leftIndex: database.prepare(left('entries', 'number', keptIndexes)),
      dropStored: database.prepare(
        `DELETE FROM stored WHERE number IN (SELECT number FROM stored WHERE document_set = ? LIMIT ${STORED_ROWS})`,
      ),
      dropEntries: database.prepare(
        `DELETE FROM entries WHERE number = ?1 AND key IN (SELECT key FROM entries WHERE number = ?1 LIMIT ${SHORT_ROWS})`,
      ),
      retired: database.prepare(
        "SELECT n.number FROM keyings k JOIN names n ON n.name = k.name WHERE k.state = 'retired' ORDER BY k.name",
      ),
      documents: database.prepare(
        `SELECT number, id FROM documents WHERE collection = ? AND id > ? ORDER BY id LIMIT ${SHORT_ROWS}`,
      ),
      lastOf: database.prepare(
        `SELECT version, position FROM attachments WHERE document = ? ORDER BY version DESC LIMIT ${SHORT_ROWS}`,
      ),
      dropAttachment: database.prepare('DELETE FROM attachments WHERE document = ? AND version = ?'),
      dropLater: database.prepare('DELETE FROM later WHERE position = ? AND document = ?'),
    };
    this.#registry = registry;
  }

  /** After a transaction that was rolled back. */
  forget(): void {
    this.#generation = -1;
  }

  sweep(): Swept {
    const until = performance.now() + STINT_MS;
    const isOver = (): boolean => performance.now() >= until;
    // An entry names a row of a stored document: it goes first.
    const entries = this.#sweepNumbers(this.#sql.leftIndex, this.#sql.dropEntries, isOver);
    if (entries.more) return entries;
    const stored = this.#sweepNumbers(this.#sql.leftSet, this.#sql.dropStored, isOver);
    if (stored.more) return stored;
    const attachments = this.#sweepRetired(isOver);
    return { removed: entries.removed || stored.removed || attachments.removed, more: attachments.more };
  }

  #sweepNumbers(
    left: ReturnType<DatabaseSync['prepare']>,
    drop: ReturnType<DatabaseSync['prepare']>,
    isOver: () => boolean,
  ): Swept {
    let removed = false;
    for (;;) {
      const number = one<[number]>(left)?.[0];
      if (number === undefined) return { removed, more: false };
      // A damaged index may say what the table doesn't hold.
      if (Number(drop.run(number).changes) === 0) return { removed, more: false };
      removed = true;
      if (isOver()) return { removed, more: true };
    }
  }

  #sweepRetired(isOver: () => boolean): Swept {
    const generation = this.#registry.generation();
    if (generation !== this.#generation) this.#reached.clear();
    this.#generation = generation;
    let removed = false;
    let more = false;
    for (const [keying] of all<[number]>(this.#sql.retired)) {
      while (!more && !(this.#reached.has(keying) && this.#reached.get(keying) === undefined)) {
        removed = this.#detachPage(keying, isOver) || removed;
        more = isOver();
      }
    }
    if (removed) this.#registry.detached();
    return { removed, more };
  }

  /** Removes the events of some documents. Returns whether there were any. */
  #detachPage(keying: number, isOver: () => boolean): boolean {
    const page = all<[number, string]>(this.#sql.documents, keying, this.#reached.get(keying) ?? '');
    let removed = false;
    for (const [document, id] of page) {
      for (;;) {
        const count = this.#detachLast(document);
        removed ||= count > 0;
        if (count < SHORT_ROWS) break;
        if (isOver()) return removed;
      }
      this.#reached.set(keying, id);
      if (isOver()) return removed;
    }
    if (page.length < SHORT_ROWS) this.#reached.set(keying, undefined);
    return removed;
  }

  /** From the last version down: what is left is still a document without gaps. */
  #detachLast(document: number): number {
    const rows = all<[version: number, position: number]>(this.#sql.lastOf, document);
    for (const [version, position] of rows) {
      this.#sql.dropAttachment.run(document, version);
      this.#sql.dropLater.run(position, document);
    }
    return rows.length;
  }
}
