/** Pages of the log, or of one document's events, with everything that is recorded about each event. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { lowerBound, pageRows, upperBound } from '../../page-bounds.ts';
import { Room } from '../../room.ts';
import { PAGE_POSITIONS_MAX } from '../../store.ts';
import type {
  DocumentRange,
  DocumentVersion,
  EventPage,
  LogEnd,
  LogRange,
  StoredCommit,
  StoredEvent,
} from '../../store.ts';
import type { Commits } from './commits.ts';
import { each, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import { attachmentsIn, inlineList } from './inline.ts';
import type { Later } from './later.ts';
import type { Interned } from '../writing/interned.ts';
import type { Loader } from './load.ts';
import { isCount, isSchemaVersion } from '../values.ts';

const COLUMNS = 'e.position, e.type, e.schema_version, e.time, e.attachments, e.json';

export type EventRow = readonly [
  position: number,
  type: number,
  schemaVersion: number,
  time: number,
  attachments: string,
  json: string,
];

/** Of the index by document too, where the event is looked up. */
type DocumentRow = readonly [...EventRow, version: number, indexed: number];

interface Parts {
  readonly interned: Interned;
  readonly commits: Commits;
  readonly loader: Loader;
  readonly later: Later;
}

/** Positions of one page, both ends inclusive. */
interface Window {
  readonly low: number;
  readonly high: number;
  readonly reverse: boolean;
}

/** Rows of a page, and what was attached to their events later; undefined for nothing. */
interface Rows {
  readonly rows: readonly (EventRow | DocumentRow)[];
  readonly later: readonly (readonly number[])[] | undefined;
  /** Whether there may be more. */
  readonly full: boolean;
}

export class Reader {
  readonly #sql;
  readonly #interned: Interned;
  readonly #commits: Commits;
  readonly #loader: Loader;
  readonly #later: Later;

  constructor(database: DatabaseSync, { interned, commits, loader, later }: Parts) {
    const page = `SELECT ${COLUMNS} FROM events e WHERE e.position BETWEEN ? AND ?`;
    const pageOfTypes = `${page} AND e.type IN (SELECT value FROM json_each(?))`;
    this.#sql = {
      forward: database.prepare(`${page} ORDER BY e.position LIMIT ?`),
      backward: database.prepare(`${page} ORDER BY e.position DESC LIMIT ?`),
      forwardOfTypes: database.prepare(`${pageOfTypes} ORDER BY e.position LIMIT ?`),
      backwardOfTypes: database.prepare(`${pageOfTypes} ORDER BY e.position DESC LIMIT ?`),
      isThere: database.prepare('SELECT 1 FROM events WHERE position = ?'),
      ofDocument: database.prepare(
        `SELECT ${COLUMNS}, a.version, a.position FROM attachments a LEFT JOIN events e ON e.position = a.position
         WHERE a.document = ? AND a.version > ? ORDER BY a.version LIMIT ?`,
      ),
    };
    this.#interned = interned;
    this.#commits = commits;
    this.#loader = loader;
    this.#later = later;
  }

  read(range: LogRange | DocumentRange): EventPage {
    const end = this.#commits.end();
    return 'document' in range ? this.#document(range, end) : this.#log(range, end);
  }

  #log({ after, before, types, reverse = false, limit }: LogRange, end: LogEnd): EventPage {
    const lowest = lowerBound(after) + 1;
    // Exclusive: below 7.5 is not above 7.
    const highest = Math.min(upperBound(before && Math.ceil(before) - 1), end.position);
    const low = reverse ? Math.max(lowest, highest - PAGE_POSITIONS_MAX + 1) : lowest;
    const high = reverse ? highest : Math.min(highest, lowest + PAGE_POSITIONS_MAX - 1);
    const window = { low, high, reverse };
    const most = pageRows(limit);
    const page = types === undefined ? this.#all(window, most) : this.#ofTypes(types, window, most);
    const { rows, full } = page;
    // Full: go on after the last event. Not full: the whole window has been looked at.
    const start = reverse ? high + 1 : low - 1;
    const reached = full ? (rows.at(-1)?.[0] ?? start) : reverse ? low : high;
    const more = reverse ? reached > lowest : reached < highest;
    return { end, events: this.#stored(page), next: more ? reached : undefined };
  }

  /** Events of a window: every position must be there. */
  #all({ low, high, reverse }: Window, most: number): Rows {
    const [first, step] = reverse ? [high, -1] : [low, 1];
    const missing = (index: number): Error => corrupt('an event is missing', { position: first + step * index });
    const statement = reverse ? this.#sql.backward : this.#sql.forward;
    const isLater = this.#later.isWithin(low, high);
    const page = this.#rowsOf<EventRow>(statement, [low, high, most], most, isLater, ([position], index) => {
      if (position !== first + step * index) throw missing(index);
    });
    if (!page.full && page.rows.length < high - low + 1) throw missing(page.rows.length);
    return page;
  }

  #ofTypes(types: readonly string[], { low, high, reverse }: Window, most: number): Rows {
    const numbers = types.map((type) => this.#interned.numberOf(type)).filter((number) => number !== undefined);
    const statement = reverse ? this.#sql.backwardOfTypes : this.#sql.forwardOfTypes;
    const isLater = this.#later.isWithin(low, high);
    const page = this.#rowsOf<EventRow>(statement, [low, high, JSON.stringify(numbers), most], most, isLater);
    if (!page.full && low <= high && one(this.#sql.isThere, high) === undefined) {
      // If a damaged log said that its end is far away, a reader of few types would look for ever.
      throw corrupt('an event is missing', { position: high });
    }
    return page;
  }

  #document({ document: { collection, id }, after, limit }: DocumentRange, end: LogEnd): EventPage {
    const from = lowerBound(after);
    const document = this.#interned.documentNumber(collection, id);
    if (document === undefined) return { end, events: [], next: undefined };
    const head = this.#loader.head(document);
    const most = Math.max(0, Math.min(head, from + pageRows(limit)) - from);
    const gap = (version: number): Error => corrupt('versions of a document have a gap', { collection, id, version });
    const isLater = this.#later.isWithin(1, end.position);
    const page = this.#rowsOf<DocumentRow>(
      this.#sql.ofDocument,
      [document, from, most],
      most,
      isLater,
      (row, index) => {
        if (row[6] !== from + 1 + index) throw gap(row[6]);
        if (row[0] === null) throw corrupt('an event is missing', { position: row[7] });
      },
    );
    const { rows, full } = page;
    if (!full && rows.length < most) throw gap(from + 1 + rows.length);
    const reached = from + rows.length;
    return { end, events: this.#stored(page), next: reached < head ? reached : undefined };
  }

  /** The rows of a statement as far as there is room, each checked before it is taken. */
  #rowsOf<Row extends EventRow | DocumentRow>(
    statement: StatementSync,
    parameters: readonly SQLInputValue[],
    most: number,
    isLater: boolean,
    check?: (row: Row, index: number) => void,
  ): Rows {
    const room = new Room(most);
    const rows: Row[] = [];
    const later: (readonly number[])[] | undefined = isLater ? [] : undefined;
    let full = most === 0;
    each<Row>(statement, parameters, (row) => {
      check?.(row, rows.length);
      const more = later && this.#later.of(row[0]);
      full = !room.take(row[5], undefined, attachmentsIn(row[4]) + (more?.length ?? 0) / 2);
      if (full) return false;
      rows.push(row);
      if (more) later.push(more);
      return true;
    });
    return { rows, later, full: full || rows.length === most };
  }

  #stored({ rows, later }: Rows): readonly StoredEvent[] {
    let commit: StoredCommit | undefined;
    return rows.map(([position, type, schemaVersion, time, attachments, json], index) => {
      if (!isCount(position) || !isSchemaVersion(schemaVersion) || typeof json !== 'string') {
        throw corrupt("a value of an event isn't valid", { position });
      }
      if (commit === undefined || position < commit.position || position >= commit.position + commit.eventCount) {
        commit = this.#commits.commitAt(position);
      }
      // The chain covers the time of the commit; folds use the time of the event.
      if (time !== commit.time) throw corrupt('an event has another time than its commit', { position });
      return {
        type: this.#interned.name(type, { position }),
        schemaVersion,
        json,
        position,
        attachments: this.#attachments([...inlineList(attachments, position), ...(later?.[index] ?? [])], position),
        commit,
      };
    });
  }

  #attachments(list: readonly number[], position: number): readonly DocumentVersion[] {
    const versions: DocumentVersion[] = [];
    for (let index = 0; index < list.length; index += 2) {
      const { collection, id } = this.#interned.document(list[index]!, { position });
      versions.push({ collection, id, version: list[index + 1]! });
    }
    return versions;
  }
}
