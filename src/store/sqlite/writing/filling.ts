/** Filling keyings and indexes: attaching events that are stored already, and adding the entries of stored documents. */
import type { DatabaseSync } from 'node:sqlite';
import type { AttachedPage, FoundIds, IndexedPage, Stepped } from '../../store.ts';
import { corrupt } from '../errors.ts';
import type { Commits } from '../reading/commits.ts';
import { RegistryRows } from '../reading/registry.ts';
import { Attachments } from './attachments.ts';
import type { Heads } from './heads.ts';
import { Inserts } from './insert.ts';
import type { Interned } from './interned.ts';
import { Pieces } from './pieces.ts';
import type { RegistryEntries } from './registry.ts';
import type { Sets } from './sets.ts';

interface Parts {
  readonly interned: Interned;
  readonly commits: Commits;
  readonly heads: Heads;
  readonly registry: RegistryEntries;
  readonly sets: Sets;
}

/** With the write lock held. What throws leaves rows behind: then the transaction must be rolled back. */
export class Filling {
  readonly #parts: Parts;
  readonly #rows: RegistryRows;
  readonly #attachments: Attachments;
  readonly #later: Inserts<'position' | 'document' | 'version'>;

  constructor(database: DatabaseSync, parts: Parts) {
    this.#parts = parts;
    this.#rows = new RegistryRows(database);
    this.#attachments = new Attachments(database);
    this.#later = new Inserts(database, 'later', { position: '?', document: '?', version: '?' });
  }

  /**
   * Only what is `stored` may be committed. Many ids are attached in several pieces, with turns of the event loop, after which
   * `assertGoing` is called.
   */
  async attach(page: AttachedPage, assertGoing: () => void): Promise<Stepped> {
    const { keying: name, generation, from, to, seen, attachments, live } = page;
    const { commits, heads, registry } = this.#parts;
    const end = commits.end();
    if (to > seen.position || !commits.holds(seen)) return 'diverged';
    const marks = registry.marks();
    if (generation !== marks.generation) return 'behind';
    const keying = this.#rows.keying(name);
    if (keying?.state !== 'filling' || keying.filled !== from) return 'moved';
    if (to < from || (live && to < end.position)) return 'moved';
    heads.follow(end, marks.attached);
    const moved = new Map<number, number>();
    const pieces = new Pieces(assertGoing);
    try {
      for (const found of attachments) await this.#attach(name, found, moved, pieces);
      this.#attachments.flush();
      this.#later.flush();
    } finally {
      this.#attachments.clear();
      this.#later.clear();
    }
    registry.moveKeying({ ...keying, filled: to, state: live ? 'live' : 'filling' });
    // Not before the rows are in: a head that was forgotten for lack of room is read again.
    heads.attached(moved);
    return 'stored';
  }

  /** False if the index isn't filling from there: nothing was stored then. */
  fillIndex({ index: number, from, to, entries, live }: IndexedPage): boolean {
    const { registry, sets } = this.#parts;
    const index = this.#rows.index(number);
    if (index?.state !== 'filling' || index.filled !== from) return false;
    sets.enter(index.set, entries);
    registry.moveIndex({ ...index, state: live ? 'live' : 'filling', filled: live ? undefined : to });
    return true;
  }

  /** Gives each document of an event its next version. */
  async #attach(
    keying: string,
    { position, type: name, ids }: FoundIds,
    moved: Map<number, number>,
    pieces: Pieces,
  ): Promise<void> {
    const { interned, heads } = this.#parts;
    const type = interned.numberOf(name);
    if (type === undefined) throw corrupt(`it has no events of the type ${name}`, { position });
    for (const id of ids) {
      const document = interned.addDocument(keying, id);
      const version = (moved.get(document) ?? heads.get(document)) + 1;
      moved.set(document, version);
      this.#attachments.add({ document, version, position, type });
      this.#later.add({ position, document, version });
      if (!pieces.isOver()) continue;
      // What is collected so far is a part of the piece.
      this.#attachments.flush();
      await pieces.turn();
    }
  }
}
