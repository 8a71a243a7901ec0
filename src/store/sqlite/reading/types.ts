/** The event types that the log has held. (interned.ts writes them, as names.) */
import type { DatabaseSync } from 'node:sqlite';
import { lowerBound, pageRows } from '../../page-bounds.ts';
import type { HeldType, LogFacts, TypesRange } from '../../store.ts';
import type { Commits } from './commits.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/interned.ts';
import { isCount } from '../values.ts';

export class Types {
  readonly #position;
  readonly #page;
  readonly #interned: Interned;
  readonly #commits: Commits;

  constructor(database: DatabaseSync, interned: Interned, commits: Commits) {
    this.#position = database.prepare('SELECT position FROM types WHERE type = ?');
    this.#page = database.prepare(
      'SELECT type, position, succeeded FROM types WHERE position > ? ORDER BY position LIMIT ?',
    );
    this.#interned = interned;
    this.#commits = commits;
  }

  types({ after, limit }: TypesRange): readonly HeldType[] {
    this.#commits.end();
    const rows = all<[number, number, number | null]>(this.#page, lowerBound(after), pageRows(limit));
    return rows.map(([number, position, succeeded]): HeldType => {
      if (!isCount(position) || (succeeded !== null && !(isCount(succeeded) && succeeded >= position))) {
        throw corrupt("the position of an event type isn't valid", { position });
      }
      const type = this.#interned.name(number, { position });
      return succeeded === null ? { type, position } : { type, position, succeeded };
    });
  }

  /** Valid in the transaction that asks. */
  facts(): LogFacts {
    return { isEmpty: this.#commits.end().position === 0, firstOf: (type) => this.#firstOf(type) };
  }

  #firstOf(type: string): number | undefined {
    const number = this.#interned.numberOf(type);
    return number === undefined ? undefined : one<[number]>(this.#position, number)?.[0];
  }
}
