/** Pages of the log, or of one document's events, with everything that is recorded about each event. */
import type { DatabaseSync } from 'node:sqlite';
import type {
  DocumentRange,
  DocumentVersion,
  EventPage,
  LogEnd,
  LogRange,
  StoredCommit,
  StoredEvent,
} from '../store.ts';
import { lowerBound, pageRows, upperBound } from '../bounds.ts';
import { Room } from '../room.ts';
import { PAGE_POSITIONS_MAX } from '../store.ts';
import type { Chain } from './commits.ts';
import { each } from './connection.ts';
import { corrupt } from './errors.ts';
import type { Interned } from './intern.ts';
import type { Loader } from './load.ts';

const COLUMNS = 'e.position, e.type, e.schema_version, e.attachments, e.json';

type Row = readonly [position: number, type: number, schemaVersion: number, attachments: string, json: string];

export interface Reader {
  read(range: LogRange | DocumentRange): EventPage;
}

export function reader(database: DatabaseSync, interned: Interned, chain: Chain, loader: Loader): Reader {
  const page = (order: 'ASC' | 'DESC', filter: string) =>
    database.prepare(
      `SELECT ${COLUMNS} FROM events e WHERE e.position BETWEEN ? AND ? ${filter} ORDER BY e.position ${order} LIMIT ?`,
    );
  const ofTypes = 'AND e.type IN (SELECT value FROM json_each(?))';
  const forward = page('ASC', '');
  const backward = page('DESC', '');
  const forwardOfTypes = page('ASC', ofTypes);
  const backwardOfTypes = page('DESC', ofTypes);
  const ofDocument = database.prepare(
    `SELECT a.version, a.position, ${COLUMNS} FROM attachments a LEFT JOIN events e ON e.position = a.position
     WHERE a.document = ? AND a.version > ? ORDER BY a.version LIMIT ?`,
  );

  function stored(rows: readonly Row[]): readonly StoredEvent[] {
    let commit: StoredCommit | undefined;
    return rows.map(([position, type, schemaVersion, attachments, json]) => {
      if (commit === undefined || position < commit.position || position >= commit.position + commit.eventCount) {
        commit = chain.commitAt(position);
      }
      return {
        type: interned.name(type, { position }),
        schemaVersion,
        json,
        position,
        attachments: resolved(attachments, position, interned),
        commit,
      };
    });
  }

  function log(range: LogRange, end: LogEnd): EventPage {
    const { types, reverse = false } = range;
    const lowest = lowerBound(range.after) + 1;
    // Exclusive: what is below 7.5 is what is not above 7.
    const highest = Math.min(upperBound(range.before && Math.ceil(range.before) - 1), end.position);
    const low = reverse ? Math.max(lowest, highest - PAGE_POSITIONS_MAX + 1) : lowest;
    const high = reverse ? highest : Math.min(highest, lowest + PAGE_POSITIONS_MAX - 1);
    const most = pageRows(range.limit);
    const ids = types?.map((type) => interned.nameId(type)).filter((id) => id !== undefined);
    const step = reverse ? -1 : 1;
    const first = reverse ? high : low;
    const room = new Room(most);
    const rows: Row[] = [];
    let full = most === 0;
    const take = (row: Row): boolean => {
      // Without a filter every position must be there.
      const expected = first + step * rows.length;
      if (ids === undefined && row[0] !== expected) throw corrupt('an event is missing', { position: expected });
      if (!room.take(row[4])) full = true;
      else rows.push(row);
      return !full;
    };
    if (ids === undefined) each<Row>(reverse ? backward : forward, [low, high, most], take);
    else each<Row>(reverse ? backwardOfTypes : forwardOfTypes, [low, high, JSON.stringify(ids), most], take);
    full ||= rows.length === most;
    if (ids === undefined && !full && rows.length < high - low + 1) {
      throw corrupt('an event is missing', { position: first + step * rows.length });
    }
    // Full: go on after the last event. Not full: the whole window has been looked at.
    const reached = full ? (rows.at(-1)?.[0] ?? first - step) : reverse ? low : high;
    const more = reverse ? reached > lowest : reached < highest;
    return { end, events: stored(rows), next: more ? reached : undefined };
  }

  function document(range: DocumentRange, end: LogEnd): EventPage {
    const { collection, id } = range.document;
    const after = lowerBound(range.after);
    const integer = interned.documentId(collection, id);
    if (integer === undefined) return { end, events: [], next: undefined };
    const head = loader.head(integer);
    const last = Math.min(head, after + pageRows(range.limit));
    const gap = (version: number) => corrupt('versions of a document have a gap', { collection, id, version });
    const room = new Room(last - after);
    const rows: Row[] = [];
    let full = false;
    each<[number, number, ...Row]>(ofDocument, [integer, after, Math.max(0, last - after)], (found) => {
      const [version, position, ...row] = found;
      if (version !== after + 1 + rows.length) throw gap(version);
      if (row[0] === null) throw corrupt('an event is missing', { position });
      if (!room.take(row[4])) full = true;
      else rows.push(row);
      return !full;
    });
    if (!full && rows.length < last - after) throw gap(after + 1 + rows.length);
    const reached = after + rows.length;
    return { end, events: stored(rows), next: reached < head ? reached : undefined };
  }

  return {
    read(range) {
      const end = chain.end();
      interned.follow(end, chain.holds);
      return 'document' in range ? document(range, end) : log(range, end);
    },
  };
}

/** The list inline with an event: `[document, version, document, version, …]`. Throws `LogCorrupt` if it is no such. */
export function inlineList(attachments: string, position: number): readonly number[] {
  let list: unknown;
  try {
    list = JSON.parse(attachments);
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list) || list.length % 2 !== 0 || !list.every((item) => Number.isSafeInteger(item) && item > 0)) {
    throw corrupt("an event's list of documents is none", { position });
  }
  return list as number[];
}

function resolved(attachments: string, position: number, interned: Interned): readonly DocumentVersion[] {
  const list = inlineList(attachments, position);
  const versions: DocumentVersion[] = [];
  for (let index = 0; index < list.length; index += 2) {
    const { collection, id } = interned.document(list[index] as number, { position });
    versions.push({ collection, id, version: list[index + 1] as number });
  }
  return versions;
}
