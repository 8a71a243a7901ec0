/**
 * A log in PostgreSQL as an SQLite file, taken over table by table by plain SQL, so that what looks at a log from outside
 * (`log-by-sql.ts`) looks at both kinds.
 */
import { rmSync } from 'node:fs';
import { Client } from 'pg';
import { asking } from '../log-by-sql.ts';

/** What each table is asked for. The lists of attachments are JSON in the file. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  names: ['number', 'name'],
  commits: ['position', 'event_count', 'command_id', 'attempt', 'outcome', 'reason', 'time', 'recorded_at'],
  events: ['position', 'type', "'[' || attachments || ']' AS attachments", 'json'],
  attachments: ['document', 'version', 'position', 'type'],
};

const INTEGER = 20;

/** Copies the log at one point in time, whatever is written meanwhile. */
export async function copyToFile(url: string, schema: string, file: string): Promise<string> {
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  const client = new Client(url);
  await client.connect();
  try {
    client.setTypeParser(INTEGER, Number);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    for (const [table, columns] of Object.entries(TABLES)) {
      const { rows } = await client.query({
        text: `SELECT ${columns.join(', ')} FROM ${schema}.${table}`,
        rowMode: 'array',
      });
      const names = columns.map((column) => column.split(' ').at(-1));
      asking(file, (database) => {
        database.exec(`CREATE TABLE ${table} (${names.join(', ')}); BEGIN`);
        const insert = database.prepare(`INSERT INTO ${table} VALUES (${names.map(() => '?').join(', ')})`);
        for (const row of rows) insert.run(...(row as (string | number | null)[]));
        database.exec(
          table === 'commits'
            ? 'CREATE INDEX by_id ON commits (command_id); CREATE INDEX by_position ON commits (position); COMMIT'
            : table === 'events'
              ? 'CREATE INDEX of_events ON events (position); COMMIT'
              : 'COMMIT',
        );
      });
    }
  } finally {
    await client.end();
  }
  return file;
}
