/**
 * The heads of documents as the writing connection knows them, so that an append needs inserts only.
 *
 * They are right as of one end of the log. If another process has written since, they are taken along by the lists
 * inline with its events if those are few, and forgotten otherwise.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Recent } from '../../../recent.ts';
import type { LogPoint } from '../../store.ts';
import type { Chain } from '../reading/commits.ts';
import { all } from '../connecting/connection.ts';
import { START } from './intern.ts';
import type { Loader } from '../reading/load.ts';
import { inlineList } from '../reading/read.ts';

/** Most foreign events that the heads are taken along by; beyond it, asking again for what is needed costs less. */
const FOLLOW_EVENTS_MAX = 5_000;

export interface Heads {
  /** To be told the end of the log in each transaction, before anything else is asked. */
  follow(end: LogPoint): void;
  /**
   * To be told the end after an append, and what it moved. Not before its rows are in: until then a head that was
   * forgotten for lack of room couldn't be asked for again.
   */
  moved(end: LogPoint, to: ReadonlyMap<number, number>): void;
  get(document: number): number;
  /** After a transaction that was rolled back. */
  forget(): void;
}

export function cachedHeads(database: DatabaseSync, chain: Chain, loader: Loader, max: number): Heads {
  const foreign = database.prepare('SELECT position, attachments FROM events WHERE position > ? ORDER BY position');
  const heads = new Recent<number, number>(max);
  let asOf = START;

  const forget = (): void => {
    heads.clear();
    asOf = START;
  };

  return {
    follow(end) {
      if (end.hash === asOf.hash) return;
      const grown = end.position - asOf.position;
      if (grown > 0 && grown <= FOLLOW_EVENTS_MAX && chain.holds(asOf)) {
        for (const [position, attachments] of all<[number, string]>(foreign, asOf.position)) {
          const list = inlineList(attachments, position);
          for (let index = 0; index < list.length; index += 2) {
            const document = list[index] as number;
            if (heads.has(document)) heads.set(document, list[index + 1] as number);
          }
        }
      } else {
        heads.clear();
      }
      asOf = end;
    },
    moved(end, to) {
      for (const [document, version] of to) heads.set(document, version);
      asOf = end;
    },
    get(document) {
      let version = heads.get(document);
      if (version === undefined) heads.set(document, (version = loader.head(document)));
      return version;
    },
    forget,
  };
}
