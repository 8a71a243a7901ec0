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
import { PAGE_POSITIONS_MAX, PAGE_ROWS_MAX } from '../store.ts';
import type { Chain } from './commits.ts';
import { all } from './connection.ts';
import { corrupt } from './errors.ts';
import type { Interned } from './intern.ts';

const COLUMNS = 'e.position, e.type, e.schema_version, e.attachments, e.json';

type Row = readonly [position: number, type: number, schemaVersion: number, attachments: string, json: string];

export interface Reader {
  read(range: LogRange | DocumentRange): EventPage;
}

export function reader(database: DatabaseSync, interned: Interned, chain: Chain): Reader {
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

  function log({ after = 0, before, types, reverse = false, limit }: LogRange, end: LogEnd): EventPage {
    const lowest = after + 1;
    const highest = before === undefined ? end.position : Math.min(before - 1, end.position);
    const low = reverse ? Math.max(lowest, highest - PAGE_POSITIONS_MAX + 1) : lowest;
    const high = reverse ? highest : Math.min(highest, lowest + PAGE_POSITIONS_MAX - 1);
    const most = Math.min(limit, PAGE_ROWS_MAX);
    const ids = types?.map((type) => interned.nameId(type)).filter((id) => id !== undefined);
    const rows =
      ids === undefined
        ? all<Row>(reverse ? backward : forward, low, high, most)
        : all<Row>(reverse ? backwardOfTypes : forwardOfTypes, low, high, JSON.stringify(ids), most);
    if (ids === undefined) {
      rows.forEach(([position], index) => {
        const expected = reverse ? high - index : low + index;
        if (position !== expected) throw corrupt('an event is missing', { position: expected });
      });
      if (rows.length < Math.min(most, high - low + 1)) {
        throw corrupt('an event is missing', { position: reverse ? high - rows.length : low + rows.length });
      }
    }
    // Full: go on after the last event. Not full: the whole window has been looked at.
    const full = rows.length >= most;
    if (reverse) {
      const reached = full ? (rows.at(-1)?.[0] ?? high + 1) : low;
      return { end, events: stored(rows), next: reached > lowest ? reached : undefined };
    }
    const reached = full ? (rows.at(-1)?.[0] ?? low - 1) : high;
    return { end, events: stored(rows), next: reached < highest ? reached : undefined };
  }

  function document({ document: { collection, id }, after, limit }: DocumentRange, end: LogEnd): EventPage {
    const most = Math.min(limit, PAGE_ROWS_MAX);
    const integer = interned.documentId(collection, id);
    if (integer === undefined) return { end, events: [], next: undefined };
    // One more than asked for tells whether there is more.
    const found = all<[number, number, ...Row]>(ofDocument, integer, after, most + 1);
    const shown = found.slice(0, most);
    const rows = shown.map(([version, position, ...row], index): Row => {
      if (version !== after + 1 + index)
        throw corrupt('versions of a document have a gap', { collection, id, version });
      if (row[0] === null) throw corrupt('an event is missing', { position });
      return row;
    });
    return { end, events: stored(rows), next: found.length > most ? after + shown.length : undefined };
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
