/** Inserts of many rows by few statements: a statement has a cost of its own, whatever it inserts. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Rows of a wide statement. */
const WIDE = 32;

/** Makes a function that inserts rows, given as one flat list of values. `target` is `table (column, …)`. */
export function rowInsert(database: DatabaseSync, target: string, columns: number): (values: SQLInputValue[]) => void {
  const row = `(${Array(columns).fill('?').join(',')})`;
  const wide = database.prepare(`INSERT INTO ${target} VALUES ${Array(WIDE).fill(row).join(',')}`);
  const narrow = database.prepare(`INSERT INTO ${target} VALUES ${row}`);
  return (values) => {
    let from = 0;
    for (; from + WIDE * columns <= values.length; from += WIDE * columns) {
      wide.run(...values.slice(from, from + WIDE * columns));
    }
    for (; from < values.length; from += columns) narrow.run(...values.slice(from, from + columns));
  };
}
