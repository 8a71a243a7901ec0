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
} from '../../store.ts';
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { PAGE_POSITIONS_MAX } from '../../store.ts';
import type { Chain } from './commits.ts';
import { each, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/intern.ts';
import type { Loader } from './load.ts';
import { isCount, isSchemaVersion } from '../values.ts';

const COLUMNS = 'e.position, e.type, e.schema_version, e.time, e.attachments, e.json';

/** A row of the log. */
export type EventRow = readonly [
  position: number,
  type: number,
  schemaVersion: number,
  time: number,
  attachments: string,
  json: string,
];

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
  const isThere = database.prepare('SELECT 1 FROM events WHERE position = ?');
  const ofDocument = database.prepare(
    `SELECT a.version, a.position, ${COLUMNS} FROM attachments a LEFT JOIN events e ON e.position = a.position
     WHERE a.document = ? AND a.version > ? ORDER BY a.version LIMIT ?`,
  );

  function stored(rows: readonly EventRow[]): readonly StoredEvent[] {
    let commit: StoredCommit | undefined;
    return rows.map(([position, type, schemaVersion, time, attachments, json]) => {
      if (!isCount(position) || !isSchemaVersion(schemaVersion) || typeof json !== 'string') {
        throw corrupt('an event has a value that is none', { position });
      }
      if (commit === undefined || position < commit.position || position >= commit.position + commit.eventCount) {
        commit = chain.commitAt(position);
      }
      // The chain covers the commit's; folds take the event's.
      if (time !== commit.time) throw corrupt('an event has another time than its commit', { position });
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
    const rows: EventRow[] = [];
    let full = most === 0;
    const take = (row: EventRow): boolean => {
      // Without a filter every position must be there.
      const expected = first + step * rows.length;
      if (ids === undefined && row[0] !== expected) throw corrupt('an event is missing', { position: expected });
      if (!room.take(row[5], undefined, attachmentsIn(row[4]))) full = true;
      else rows.push(row);
      return !full;
    };
    if (ids === undefined) each<EventRow>(reverse ? backward : forward, [low, high, most], take);
    else each<EventRow>(reverse ? backwardOfTypes : forwardOfTypes, [low, high, JSON.stringify(ids), most], take);
    full ||= rows.length === most;
    if (ids === undefined && !full && rows.length < high - low + 1) {
      throw corrupt('an event is missing', { position: first + step * rows.length });
    }
    // Full: go on after the last event. Not full: the whole window has been looked at.
    if (ids !== undefined && !full && low <= high && one(isThere, high) === undefined) {
      // A log whose end is said to be far away would keep a reader of few types looking for ever.
      throw corrupt('an event is missing', { position: high });
    }
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
    const rows: EventRow[] = [];
    let full = false;
    each<[number, number, ...EventRow]>(ofDocument, [integer, after, Math.max(0, last - after)], (found) => {
      const [version, position, ...row] = found;
      if (version !== after + 1 + rows.length) throw gap(version);
      if (row[0] === null) throw corrupt('an event is missing', { position });
      if (!room.take(row[5], undefined, attachmentsIn(row[4]))) full = true;
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
  const list = typeof attachments === 'string' ? wholeNumbers(attachments) : undefined;
  if (list === undefined || list.length % 2 !== 0) {
    throw corrupt("an event's list of documents is none", { position });
  }
  return list;
}

/** How many documents a list inline with an event has, before it is looked at closely. */
function attachmentsIn(list: unknown): number {
  if (typeof list !== 'string') return 0;
  let commas = 0;
  for (let at = list.indexOf(','); at >= 0; at = list.indexOf(',', at + 1)) commas += 1;
  return Math.ceil(commas / 2);
}

const [ZERO, NINE, COMMA] = [0x30, 0x39, 0x2c];

/** Reads `[1,23,4]` as append writes it: whole numbers from 1. By hand, as JSON.parse and a check take five times as long. */
function wholeNumbers(text: string): readonly number[] | undefined {
  const last = text.length - 1;
  if (text[0] !== '[' || text[last] !== ']') return undefined;
  const numbers: number[] = [];
  let number = 0;
  for (let index = 1; index < last; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit === COMMA && number > 0) {
      numbers.push(number);
      number = 0;
    } else if (unit >= ZERO && unit <= NINE && (number > 0 || unit > ZERO)) {
      number = number * 10 + (unit - ZERO);
      if (number > Number.MAX_SAFE_INTEGER) return undefined;
    } else return undefined;
  }
  if (number > 0) numbers.push(number);
  // Nothing, or a comma, before the bracket.
  else if (last > 1) return undefined;
  return numbers;
}

/** The documents in the list inline with an event. */
export function resolved(attachments: string, position: number, interned: Interned): readonly DocumentVersion[] {
  const list = inlineList(attachments, position);
  const versions: DocumentVersion[] = [];
  for (let index = 0; index < list.length; index += 2) {
    const { collection, id } = interned.document(list[index]!, { position });
    versions.push({ collection, id, version: list[index + 1]! });
  }
  return versions;
}
