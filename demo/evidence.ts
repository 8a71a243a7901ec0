/** What the log itself says, by plain SQL and without Tidemark. */
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import type { App } from 'tidemark';
import {
  COMMANDS,
  LOG_INDEXES,
  LOG_INSERT,
  LOG_OF_DATABASE,
  LOG_OF_FILE,
  LOG_TABLE,
  REFUSALS,
  WINS,
} from './evidence.sql.ts';
import { OVERSOLD, UNEVEN } from './oversold.sql.ts';
import { fileOf } from './store.ts';

/** A row of the table `log`; PostgreSQL gives large numbers as text. */
type LogRow = [position: string, type: string, json: string, commandId: string, server: string | null];

/** What a command left in the log. */
export interface Left {
  readonly events: number;
  /** Of its last event. */
  readonly position: number;
  readonly server: string | null;
  readonly reason: string | null;
}

export interface Evidence {
  /** Of the run, by command id. */
  readonly commands: ReadonlyMap<string, Left>;
  /** Events of the run. */
  readonly events: number;
  /** Places sold in the run, by server. */
  readonly wins: ReadonlyMap<string, number>;
  /** Refusals in the run, by reason, the most frequent first. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Places that were sold but didn't exist, in the whole log. */
  readonly oversold: number;
  /** Services of the run of which the wrong number was sold. */
  readonly uneven: readonly { readonly service: string; readonly sold: number }[];
}

/**
 * @param address of the log; if it has none, its events are read through the application
 * @param expected how many of each service of the run must have been sold
 */
export async function gather(
  address: string | undefined,
  app: Pick<App, 'events'>,
  prefix: string,
  expected: number,
): Promise<Evidence> {
  const file = address === undefined ? undefined : fileOf(address);
  const database = new DatabaseSync(file ?? ':memory:', { readOnly: file !== undefined });
  try {
    if (file !== undefined) database.exec(LOG_OF_FILE);
    else if (address === undefined) await copyLog(app, database);
    else await copyDatabase(address, database);
    database.exec(LOG_INDEXES);
    return query(database, prefix, expected);
  } finally {
    database.close();
  }
}

async function copyLog(app: Pick<App, 'events'>, database: DatabaseSync): Promise<void> {
  database.exec(LOG_TABLE);
  const insert = database.prepare(LOG_INSERT);
  for await (const { position, event, command } of app.events()) {
    const { type, ...fields } = event;
    insert.run(position, type, JSON.stringify(fields), command.id, command.correlation ?? null);
  }
}

/** Page by page: the log may be longer than memory. */
async function copyDatabase(url: string, database: DatabaseSync): Promise<void> {
  database.exec(LOG_TABLE);
  const insert = database.prepare(LOG_INSERT);
  const client = new Client(url);
  await client.connect();
  try {
    for (let after = '0'; ;) {
      const { rows } = await client.query<LogRow>({ text: LOG_OF_DATABASE, values: [after], rowMode: 'array' });
      for (const row of rows) insert.run(...row);
      if (rows.length === 0) return;
      after = rows.at(-1)![0];
    }
  } finally {
    await client.end();
  }
}

function query(database: DatabaseSync, prefix: string, expected: number): Evidence {
  const rows = <Row>(sql: string, ...values: (string | number)[]): Row[] =>
    database.prepare(sql).all(...values) as unknown as Row[];
  const commands = new Map(rows<Left & { id: string }>(COMMANDS, prefix).map((row) => [row.id, row]));
  return {
    commands,
    events: [...commands.values()].reduce((total, { events }) => total + events, 0),
    wins: new Map(
      rows<{ server: string | null; wins: number }>(WINS, prefix).map((row) => [String(row.server), row.wins]),
    ),
    refusals: new Map(
      rows<{ reason: string | null; refused: number }>(REFUSALS, prefix).map((row) => [
        String(row.reason),
        row.refused,
      ]),
    ),
    oversold: rows<{ oversold: number }>(OVERSOLD)[0]!.oversold,
    uneven: rows<{ service: string; sold: number }>(UNEVEN, prefix, expected),
  };
}
