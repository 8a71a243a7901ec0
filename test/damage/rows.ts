/**
 * A log's tables and indexes as plain SQL sees them, without any code of the product: tells which rows a damage has
 * changed, and so whether it must be found.
 */
/* eslint-disable unicorn/consistent-function-scoping -- beside its use */
import { DatabaseSync } from 'node:sqlite';
import { TABLES } from '../support/tables.ts';

/** What SQLite keeps besides the tables, and looks rows up by. */
const INDEXES: Readonly<Record<string, { readonly table: string; readonly columns: readonly string[] }>> = {
  sqlite_autoindex_names_1: { table: 'names', columns: ['name', 'number'] },
  sqlite_autoindex_documents_1: { table: 'documents', columns: ['collection', 'id', 'number'] },
  sqlite_autoindex_commits_1: { table: 'commits', columns: ['command_id', 'attempt', 'position'] },
};

/** Table or index → key → the row's other columns, as types and bytes. */
export type Rows = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** @throws whatever SQLite says of a file that it can't read to the end */
export function rowsOf(file: string): Rows {
  const database = new DatabaseSync(file, { readOnly: true, returnArrays: true });
  const exact = (column: string): string => `typeof(${column}) || ':' || coalesce(hex(CAST(${column} AS BLOB)), '')`;
  const all = (sql: string): string[][] => database.prepare(sql).all() as unknown as string[][];
  try {
    const rows = new Map<string, Map<string, string>>();
    for (const [table, { key, columns }] of Object.entries(TABLES)) {
      const found = all(
        `SELECT concat_ws(' ', ${key.join(', ')}), ${columns.map(exact).join(', ')} FROM ${table} NOT INDEXED`,
      );
      rows.set(table, new Map(found.map(([name, ...values]) => [name!, values.join(' ')])));
    }
    for (const [index, { table, columns }] of Object.entries(INDEXES)) {
      const found = all(
        `SELECT ${columns.map(exact).join(', ')} FROM ${table} INDEXED BY ${index} ORDER BY ${columns[0]}`,
      );
      rows.set(index, new Map(found.map((values) => [values.join(' '), ''])));
    }
    return rows;
  } finally {
    database.close();
  }
}

export interface Change {
  readonly table: string;
  readonly key: string;
}

/** The rows that are there once only, or differ. */
export function changes(before: Rows, after: Rows): readonly Change[] {
  return [...before].flatMap(([table, rows]) => {
    const now = after.get(table)!;
    const keys = new Set([...rows.keys(), ...now.keys()]);
    return [...keys].filter((key) => rows.get(key) !== now.get(key)).map((key) => ({ table, key }));
  });
}
