/**
 * The heads of documents that the writing connection knows, so that an append only inserts.
 *
 * They are right as of one end of the log. If another process has written since, they are updated from its events if these are
 * few, and forgotten otherwise; also if attachments of stored events have changed.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Recent } from '../../../recent.ts';
import type { LogPoint } from '../../store.ts';
import type { Commits } from '../reading/commits.ts';
import { all } from '../connecting/connection.ts';
import { START } from './interned.ts';
import type { Loader } from '../reading/load.ts';
import { inlineList } from '../reading/inline.ts';

/** Most events of others that the heads are updated from; with more, reading the needed heads again costs less. */
const FOLLOW_EVENTS_MAX = 5_000;

export class Heads {
  readonly #foreign;
  readonly #commits: Commits;
  readonly #loader: Loader;
  readonly #heads: Recent<number, number>;
  #asOf = START;
  #attached = 0;

  constructor(database: DatabaseSync, commits: Commits, loader: Loader, max: number) {
    this.#foreign = database.prepare('SELECT position, attachments FROM events WHERE position > ? ORDER BY position');
    this.#commits = commits;
    this.#loader = loader;
    this.#heads = new Recent(max);
  }

  /** Must be called first in each transaction, with the end of the log, and how often attachments of stored events have changed. */
  follow(end: LogPoint, attached: number): void {
    if (attached !== this.#attached) this.#heads.clear();
    this.#attached = attached;
    if (end.hash === this.#asOf.hash) return;
    const grown = end.position - this.#asOf.position;
    if (grown > 0 && grown <= FOLLOW_EVENTS_MAX && this.#commits.holds(this.#asOf)) this.#update(grown);
    else this.#heads.clear();
    this.#asOf = end;
  }

  /**
   * Must be called after an append, with the new end and heads. Not before its rows are in: until then a head that was forgotten
   * for lack of room can't be read again.
   */
  moved(end: LogPoint, to: ReadonlyMap<number, number>): void {
    for (const [document, version] of to) this.#heads.set(document, version);
    this.#asOf = end;
  }

  get(document: number): number {
    let version = this.#heads.get(document);
    if (version === undefined) this.#heads.set(document, (version = this.#loader.head(document)));
    return version;
  }

  /** Must be called after attaching stored events, with the new heads: it counts as one change. */
  attached(to: ReadonlyMap<number, number>): void {
    for (const [document, version] of to) this.#heads.set(document, version);
    this.#attached += 1;
  }

  /** After a transaction that was rolled back. */
  forget(): void {
    this.#heads.clear();
    this.#asOf = START;
  }

  #update(grown: number): void {
    let events = 0;
    for (const [position, attachments] of all<[number, string]>(this.#foreign, this.#asOf.position)) {
      events += 1;
      const list = inlineList(attachments, position);
      for (let index = 0; index < list.length; index += 2) {
        const document = list[index] as number;
        if (this.#heads.has(document)) this.#heads.set(document, list[index + 1] as number);
      }
    }
    // A missing event is damage, and may have moved a head: the rows of the documents still say where.
    if (events !== grown) this.#heads.clear();
  }
}
