/** Counts rows with a connection of its own: what the tables say, whatever the system says of itself. */
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

export async function countInPostgres(url: string, table: string): Promise<number> {
  return Number(await ask(url, `SELECT count(*) FROM ${table}`));
}

export function countInSqlite(file: string, table: string): number {
  using database = new DatabaseSync(file, { readOnly: true });
  return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']);
}

/** The first value of the last statement's first row. */
export async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const answer: { rows: unknown[][] } = await client.query({ text: sql, rowMode: 'array' });
    return answer.rows[0]?.[0];
  } finally {
    await client.end();
  }
}
