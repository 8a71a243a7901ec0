/** Which event types the log has held. (intern.ts writes them, with the names that they are.) */
import type { DatabaseSync } from 'node:sqlite';
import { lowerBound, pageRows } from '../../page-bounds.ts';
import type { LogFacts } from '../../registered.ts';
import type { HeldType, TypesRange } from '../../store.ts';
import type { Chain } from './commits.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/intern.ts';
import { isCount } from '../values.ts';

export interface TypesTable {
  /** For the transaction that they are asked in. */
  facts(): LogFacts;
  types(range: TypesRange): readonly HeldType[];
}

export function typesTable(database: DatabaseSync, interned: Interned, chain: Chain): TypesTable {
  const select = database.prepare('SELECT position FROM types WHERE type = ?');
  const page = database.prepare(
    'SELECT type, position, succeeded FROM types WHERE position > ? ORDER BY position LIMIT ?',
  );

  const firstOf = (type: string): number | undefined => {
    const id = interned.nameId(type);
    return id === undefined ? undefined : one<[number]>(select, id)?.[0];
  };

  return {
    facts() {
      const end = chain.end();
      interned.follow(end, chain.holds);
      return { isEmpty: end.position === 0, firstOf };
    },

    types({ after, limit }) {
      interned.follow(chain.end(), chain.holds);
      const rows = all<[number, number, number | null]>(page, lowerBound(after), pageRows(limit));
      return rows.map(([id, position, succeeded]): HeldType => {
        if (!isCount(position) || (succeeded !== null && !(isCount(succeeded) && succeeded >= position))) {
          throw corrupt('an event type has a position that is none', { position });
        }
        const type = interned.name(id, { position });
        return succeeded === null ? { type, position } : { type, position, succeeded };
      });
    },
  };
}
