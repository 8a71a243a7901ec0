/**
 * The log as one table, \`log\`, whatever store it is in. The checks query this table.
 *
 *     position, type, json, command_id, server (the correlation that the servers send along)
 */
import { SCHEMA } from './store.ts';

/** Over the tables of a log in SQLite (src/store/sqlite/schema.ts): read, never written. */
export const LOG_OF_FILE = `
  CREATE TEMP TABLE log AS
  SELECT events.position, names.name AS type, events.json, commits.command_id, commits.correlation AS server
  FROM main.commits
  JOIN main.events ON events.position >= commits.position AND events.position < commits.position + commits.event_count
  JOIN main.names ON names.number = events.type
`;

/** Over the tables of a log in PostgreSQL (src/store/postgres/tables.ts), a page after the position `$1`. */
export const LOG_OF_DATABASE = `
  SELECT events.position, names.name, events.json, commits.command_id, commits.correlation
  FROM ${SCHEMA}.events
  JOIN ${SCHEMA}.names ON names.number = events.type
  CROSS JOIN LATERAL (
    SELECT * FROM ${SCHEMA}.commits WHERE commits.position <= events.position ORDER BY commits.position DESC LIMIT 1
  ) AS commits
  WHERE events.position > $1 ORDER BY events.position LIMIT 5000
`;

/** For events that were read through the application. */
export const LOG_TABLE = `
  CREATE TEMP TABLE log (position INTEGER, type TEXT, json TEXT, command_id TEXT, server TEXT)
`;
export const LOG_INSERT = `INSERT INTO log (position, type, json, command_id, server) VALUES (?, ?, ?, ?, ?)`;

/** So that each check is a single scan. */
export const LOG_INDEXES = `
  CREATE TEMP TABLE sales AS
    SELECT json_extract(json, '$.service_id') AS service FROM log WHERE type = 'SERVICE_BOUGHT';
  CREATE INDEX temp.sales_by_service ON sales (service)
`;

/** What each command of the run left: \`?1\` is the beginning of its ids. */
export const COMMANDS = `
  SELECT
    command_id AS id,
    count(*) AS events,
    max(position) AS position,
    max(server) AS server,
    max(CASE WHEN type LIKE '%\\_FAILED' ESCAPE '\\' OR type LIKE '$%' THEN json_extract(json, '$.reason') END) AS reason
  FROM log
  WHERE substr(command_id, 1, length(?1)) = ?1
  GROUP BY command_id
`;

/** Places sold in the run, by the server that sold them. */
export const WINS = `
  SELECT server, count(*) AS wins FROM log
  WHERE type = 'SERVICE_BOUGHT' AND substr(command_id, 1, length(?1)) = ?1
  GROUP BY server
`;

/** Refusals in the run, by reason. */
export const REFUSALS = `
  SELECT json_extract(json, '$.reason') AS reason, count(*) AS refused FROM log
  WHERE (type LIKE '%\\_FAILED' ESCAPE '\\' OR type LIKE '$%') AND substr(command_id, 1, length(?1)) = ?1
  GROUP BY reason ORDER BY refused DESC, reason
`;
