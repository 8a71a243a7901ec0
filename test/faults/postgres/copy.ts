/**
 * A log in PostgreSQL as a file that `log-by-sql.ts` can look at: the tables of both engines are the same but for how an
 * event lists its attachments. Read by SQL of the tests' own, at one point in time.
 */
import { Client } from 'pg';
import { asking } from '../log-by-sql.ts';

/** The columns that are looked at. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  names: ['id', 'name'],
  commits: ['position', 'event_count', 'command_id', 'attempt', 'outcome', 'reason', 'time', 'recorded_at'],
  events: ['position', 'type', 'attachments', 'json'],
  attachments: ['document', 'version', 'position', 'type'],
};
const INDEXES = `
  CREATE INDEX commits_position ON commits (position);
  CREATE INDEX commits_command_id ON commits (command_id);
  CREATE INDEX events_position ON events (position);
  UPDATE events SET attachments = '[' || attachments || ']';`;

/** The oid of `bigint`: what a log holds fits a number. */
const BIGINT = 20;

/** Makes the file, and gives its path back. */
export async function copyToFile(url: string, schema: string, file: string): Promise<string> {
  const client = new Client(url);
  client.setTypeParser(BIGINT, Number);
  await client.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const tables = new Map<string, (string | number | null)[][]>();
    for (const [table, columns] of Object.entries(TABLES)) {
      const text = `SELECT ${columns.join(', ')} FROM ${schema}.${table}`;
      tables.set(table, (await client.query<(string | number | null)[]>({ text, rowMode: 'array' })).rows);
    }
    asking(file, (database) => {
      database.exec('BEGIN');
      for (const [table, rows] of tables) {
        const columns = TABLES[table]!;
        database.exec(`CREATE TABLE ${table} (${columns.join(', ')})`);
        const insert = database.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`);
        for (const row of rows) insert.run(...row);
      }
      database.exec(`${INDEXES} COMMIT`);
    });
    return file;
  } finally {
    await client.end();
  }
}
