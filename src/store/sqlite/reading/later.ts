/** Attachments of keyings that were filled after the events were stored. */
import { Buffer } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import { PAGE_ATTACHMENTS_MAX } from '../../store.ts';
import { all, one } from '../connecting/connection.ts';
import { corrupt } from '../errors.ts';
import type { Interned } from '../writing/interned.ts';
import { isCount } from '../values.ts';

type Row = readonly [position: number, document: number, version: number];

/** By position: document, version, document, version, … */
export type LaterLists = ReadonlyMap<number, readonly number[]>;

const NONE: LaterLists = new Map();

export class Later {
  readonly #sql;
  readonly #interned: Interned;

  constructor(database: DatabaseSync, interned: Interned) {
    this.#sql = {
      within: database.prepare(
        `SELECT position, document, version FROM later WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ${PAGE_ATTACHMENTS_MAX + 1}`,
      ),
      of: database.prepare('SELECT position, document, version FROM later WHERE position = ?'),
      isThere: database.prepare('SELECT 1 FROM later WHERE position BETWEEN ? AND ? LIMIT 1'),
    };
    this.#interned = interned;
  }

  /** Whether an event between two positions, both inclusive, has any. */
  isWithin(low: number, high: number): boolean {
    return low <= high && one(this.#sql.isThere, low, high) !== undefined;
  }

  /** Those of one event. */
  of(position: number): readonly number[] {
    return this.#listed(all<Row>(this.#sql.of, position)).get(position) ?? [];
  }

  /**
   * Those of the events between two positions, both inclusive. Where that are more than {@link PAGE_ATTACHMENTS_MAX}, the last
   * events have none: nor do they fit into a page.
   */
  within(low: number, high: number): LaterLists {
    const rows = all<Row>(this.#sql.within, low, high);
    if (rows.length === 0) return NONE;
    const lists = this.#listed(rows);
    if (rows.length <= PAGE_ATTACHMENTS_MAX) return lists;
    // The list of the last event may have been cut.
    const last = rows.at(-1)![0];
    return new Map([...lists, [last, this.of(last)]]);
  }

  #listed(rows: readonly Row[]): Map<number, number[]> {
    const lists = new Map<number, number[]>();
    for (const [position, document, version] of rows) {
      if (!isCount(document) || !isCount(version)) throw corrupt("an attachment isn't valid", { position });
      const list = lists.get(position);
      if (list) list.push(document, version);
      else lists.set(position, [document, version]);
    }
    for (const [position, list] of lists) if (list.length > 2) lists.set(position, this.#sorted(list, position));
    return lists;
  }

  /** By document: the bytes of its collection's name, then of its id. */
  #sorted(list: readonly number[], position: number): number[] {
    const found: { readonly by: readonly [Buffer, Buffer]; readonly pair: readonly [number, number] }[] = [];
    for (let index = 0; index < list.length; index += 2) {
      const [document, version] = [list[index]!, list[index + 1]!];
      const { collection, id } = this.#interned.document(document, { position });
      found.push({ by: [Buffer.from(collection), Buffer.from(id)], pair: [document, version] });
    }
    found.sort(({ by: one }, { by: other }) => Buffer.compare(one[0], other[0]) || Buffer.compare(one[1], other[1]));
    return found.flatMap(({ pair }) => pair);
  }
}
