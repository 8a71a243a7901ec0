/** Inserts many rows by few statements: each statement has a cost of its own. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Rows of a wide statement. */
const WIDE = 32;

/** Collects rows of a table, and inserts them when there are enough for a wide statement. */
export class Inserts<Column extends string> {
  readonly #columns: readonly string[];
  readonly #wide;
  readonly #narrow;
  readonly #values: SQLInputValue[];
  #filled = 0;

  /**
   * @param columns each with how its value is written: `?`, or an expression of it (`unhex(?)`)
   * @param otherwise what happens to a row whose key is taken: an ON CONFLICT clause
   */
  constructor(database: DatabaseSync, table: string, columns: Readonly<Record<Column, string>>, otherwise = '') {
    this.#columns = Object.keys(columns);
    const target = `${table} (${this.#columns.join(', ')})`;
    const row = `(${Object.values(columns).join(',')})`;
    this.#wide = database.prepare(`INSERT INTO ${target} VALUES ${Array(WIDE).fill(row).join(',')} ${otherwise}`);
    this.#narrow = database.prepare(`INSERT INTO ${target} VALUES ${row} ${otherwise}`);
    this.#values = Array<SQLInputValue>(WIDE * this.#columns.length).fill(null);
  }

  /**
   * The fields must be in the order of the columns. This is checked, which costs a third of looking each up by its name: that
   * made an append 5% slower.
   */
  add(row: Readonly<Record<Column, SQLInputValue>>): void {
    const columns = this.#columns;
    const values = this.#values;
    let filled = this.#filled;
    let index = 0;
    for (const column in row) {
      // Names that other code put on Object.prototype come after a row's own fields.
      if (index === columns.length) break;
      if (column !== columns[index++]) throw new TypeError(`The field ${column} isn't in its place.`);
      values[filled++] = row[column];
    }
    if (index < columns.length) throw new TypeError(`The field ${String(columns[index])} is missing.`);
    this.#filled = filled;
    if (filled < values.length) return;
    this.#filled = 0;
    this.#wide.run(...values);
  }

  /** Inserts the rows that are left. */
  flush(): void {
    const filled = this.#filled;
    this.#filled = 0;
    const step = this.#columns.length;
    for (let from = 0; from < filled; from += step) this.#narrow.run(...this.#values.slice(from, from + step));
  }

  /** Drops the rows that are left, of a batch that isn't stored. */
  clear(): void {
    this.#filled = 0;
  }
}
