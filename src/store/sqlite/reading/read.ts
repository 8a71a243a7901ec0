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
import type { Commits } from './commits.ts';
import { each, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { attachmentsIn, inlineList } from './inline.ts';
import type { Interned } from '../writing/interned.ts';
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

/** Positions that one page looks at, both ends inclusive. */
interface Window {
  readonly low: number;
  readonly high: number;
  readonly reverse: boolean;
}

/** Rows of a page; `full` if there may be more in its window. */
interface Rows {
  readonly rows: readonly EventRow[];
  readonly full: boolean;
}

export class Reader {
  readonly #forward;
  readonly #backward;
  readonly #forwardOfTypes;
  readonly #backwardOfTypes;
  readonly #isThere;
  readonly #ofDocument;
  readonly #interned: Interned;
  readonly #commits: Commits;
  readonly #loader: Loader;

  constructor(database: DatabaseSync, interned: Interned, commits: Commits, loader: Loader) {
    const page = `SELECT ${COLUMNS} FROM events e WHERE e.position BETWEEN ? AND ?`;
    const pageOfTypes = `${page} AND e.type IN (SELECT value FROM json_each(?))`;
    this.#forward = database.prepare(`${page} ORDER BY e.position LIMIT ?`);
    this.#backward = database.prepare(`${page} ORDER BY e.position DESC LIMIT ?`);
    this.#forwardOfTypes = database.prepare(`${pageOfTypes} ORDER BY e.position LIMIT ?`);
    this.#backwardOfTypes = database.prepare(`${pageOfTypes} ORDER BY e.position DESC LIMIT ?`);
    this.#isThere = database.prepare('SELECT 1 FROM events WHERE position = ?');
    this.#ofDocument = database.prepare(
      `SELECT a.version, a.position, ${COLUMNS} FROM attachments a LEFT JOIN events e ON e.position = a.position
       WHERE a.document = ? AND a.version > ? ORDER BY a.version LIMIT ?`,
    );
    this.#interned = interned;
    this.#commits = commits;
    this.#loader = loader;
  }

  read(range: LogRange | DocumentRange): EventPage {
    const end = this.#commits.end();
    return 'document' in range ? this.#document(range, end) : this.#log(range, end);
  }

  #log({ after, before, types, reverse = false, limit }: LogRange, end: LogEnd): EventPage {
    const lowest = lowerBound(after) + 1;
    // Exclusive: what is below 7.5 is what is not above 7.
    const highest = Math.min(upperBound(before && Math.ceil(before) - 1), end.position);
    const low = reverse ? Math.max(lowest, highest - PAGE_POSITIONS_MAX + 1) : lowest;
    const high = reverse ? highest : Math.min(highest, lowest + PAGE_POSITIONS_MAX - 1);
    const window = { low, high, reverse };
    const most = pageRows(limit);
    const { rows, full } = types === undefined ? this.#all(window, most) : this.#ofTypes(types, window, most);
    // Full: go on after the last event. Not full: the whole window has been looked at.
    const start = reverse ? high + 1 : low - 1;
    const reached = full ? (rows.at(-1)?.[0] ?? start) : reverse ? low : high;
    const more = reverse ? reached > lowest : reached < highest;
    return { end, events: this.#stored(rows), next: more ? reached : undefined };
  }

  /** Events of a window: every position must be there. */
  #all({ low, high, reverse }: Window, most: number): Rows {
    const [first, step] = reverse ? [high, -1] : [low, 1];
    const room = new Room(most);
    const rows: EventRow[] = [];
    let full = most === 0;
    each<EventRow>(reverse ? this.#backward : this.#forward, [low, high, most], (row) => {
      const expected = first + step * rows.length;
      if (row[0] !== expected) throw corrupt('an event is missing', { position: expected });
      full = !room.take(row[5], undefined, attachmentsIn(row[4]));
      if (!full) rows.push(row);
      return !full;
    });
    full ||= rows.length === most;
    if (!full && rows.length < high - low + 1) {
      throw corrupt('an event is missing', { position: first + step * rows.length });
    }
    return { rows, full };
  }

  #ofTypes(types: readonly string[], { low, high, reverse }: Window, most: number): Rows {
    const numbers = types.map((type) => this.#interned.numberOf(type)).filter((number) => number !== undefined);
    const room = new Room(most);
    const rows: EventRow[] = [];
    let full = most === 0;
    const statement = reverse ? this.#backwardOfTypes : this.#forwardOfTypes;
    each<EventRow>(statement, [low, high, JSON.stringify(numbers), most], (row) => {
      full = !room.take(row[5], undefined, attachmentsIn(row[4]));
      if (!full) rows.push(row);
      return !full;
    });
    full ||= rows.length === most;
    if (!full && low <= high && one(this.#isThere, high) === undefined) {
      // A log whose end is said to be far away would keep a reader of few types looking for ever.
      throw corrupt('an event is missing', { position: high });
    }
    return { rows, full };
  }

  #document({ document: { collection, id }, after, limit }: DocumentRange, end: LogEnd): EventPage {
    const from = lowerBound(after);
    const document = this.#interned.documentNumber(collection, id);
    if (document === undefined) return { end, events: [], next: undefined };
    const head = this.#loader.head(document);
    const most = Math.max(0, Math.min(head, from + pageRows(limit)) - from);
    const gap = (version: number) => corrupt('versions of a document have a gap', { collection, id, version });
    const room = new Room(most);
    const rows: EventRow[] = [];
    let full = false;
    each<[number, number, ...EventRow]>(this.#ofDocument, [document, from, most], ([version, position, ...row]) => {
      if (version !== from + 1 + rows.length) throw gap(version);
      if (row[0] === null) throw corrupt('an event is missing', { position });
      full = !room.take(row[5], undefined, attachmentsIn(row[4]));
      if (!full) rows.push(row);
      return !full;
    });
    if (!full && rows.length < most) throw gap(from + 1 + rows.length);
    const reached = from + rows.length;
    return { end, events: this.#stored(rows), next: reached < head ? reached : undefined };
  }

  #stored(rows: readonly EventRow[]): readonly StoredEvent[] {
    let commit: StoredCommit | undefined;
    return rows.map(([position, type, schemaVersion, time, attachments, json]) => {
      if (!isCount(position) || !isSchemaVersion(schemaVersion) || typeof json !== 'string') {
        throw corrupt("a value of an event isn't valid", { position });
      }
      if (commit === undefined || position < commit.position || position >= commit.position + commit.eventCount) {
        commit = this.#commits.commitAt(position);
      }
      // The chain covers the commit's; folds take the event's.
      if (time !== commit.time) throw corrupt('an event has another time than its commit', { position });
      return {
        type: this.#interned.name(type, { position }),
        schemaVersion,
        json,
        position,
        attachments: this.#attachments(attachments, position),
        commit,
      };
    });
  }

  #attachments(inline: string, position: number): readonly DocumentVersion[] {
    const list = inlineList(inline, position);
    const versions: DocumentVersion[] = [];
    for (let index = 0; index < list.length; index += 2) {
      const { collection, id } = this.#interned.document(list[index]!, { position });
      versions.push({ collection, id, version: list[index + 1]! });
    }
    return versions;
  }
}
