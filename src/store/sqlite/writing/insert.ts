/** Inserts of many rows by few statements: a statement has a cost of its own, whatever it inserts. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Rows of a wide statement. */
const WIDE = 32;

/** Rows on their way into a table: collected value by value, inserted when there are enough for a wide statement. */
export class Inserts {
  readonly #columns: number;
  readonly #wide;
  readonly #narrow;
  readonly #values: SQLInputValue[];
  #filled = 0;

  /** `row` is what one row's VALUES are, `(?, ?, unhex(?))`; `target` is `table (column, …)`. */
  constructor(database: DatabaseSync, target: string, row: string) {
    this.#columns = row.split('?').length - 1;
    this.#wide = database.prepare(`INSERT INTO ${target} VALUES ${Array(WIDE).fill(row).join(',')}`);
    this.#narrow = database.prepare(`INSERT INTO ${target} VALUES ${row}`);
    this.#values = Array<SQLInputValue>(WIDE * this.#columns).fill(null);
  }

  /** The next value of a row. */
  put(value: SQLInputValue): void {
    this.#values[this.#filled++] = value;
  }

  /** To be called after each row. */
  endRow(): void {
    if (this.#filled < this.#values.length) return;
    this.#filled = 0;
    this.#wide.run(...this.#values);
  }

  /** Inserts the rows that are left. */
  flush(): void {
    const filled = this.#filled;
    this.#filled = 0;
    for (let from = 0; from < filled; from += this.#columns) {
      this.#narrow.run(...this.#values.slice(from, from + this.#columns));
    }
  }

  /** Drops the rows that are left: of a batch that isn't stored. */
  clear(): void {
    this.#filled = 0;
  }
}
