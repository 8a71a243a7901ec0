/** What the log itself says, asked by plain SQL that knows nothing of the engine. */
import { DatabaseSync } from 'node:sqlite';
import type { App } from 'tidemark';
import { COMMANDS, LOG_INDEXES, LOG_INSERT, LOG_OF_FILE, LOG_TABLE, REFUSALS, WINS } from './evidence.sql.ts';
import { OVERSOLD, UNEVEN } from './oversold.sql.ts';

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
  /** Places sold in the whole log that nobody had. */
  readonly oversold: number;
  /** Services of the run of which another number was sold than was to be. */
  readonly uneven: readonly { readonly service: string; readonly sold: number }[];
}

/**
 * @param file the log, if it is a file; otherwise its events are read through the application
 * @param expected how many of each service of the run must have been sold
 */
export async function gather(
  file: string | undefined,
  app: Pick<App, 'events'>,
  prefix: string,
  expected: number,
): Promise<Evidence> {
  const database = new DatabaseSync(file ?? ':memory:', { readOnly: file !== undefined });
  try {
    if (file === undefined) await copyLog(app, database);
    else database.exec(LOG_OF_FILE);
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
