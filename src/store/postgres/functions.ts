/**
 * The functions of a log: how functions that read are made, and how all are called.
 *
 * Their bodies name the tables with the schema that the log was made in, and a schema may be renamed. So the table `log`
 * holds the log's own id and the name of that schema. A session gives the id of the log that it opened last in every call,
 * and every function checks at its beginning and at its end that it uses the tables of that log: a rename in between would
 * lead its later statements to another. If so, all that it did is rolled back.
 *
 * Functions also refuse to run once a later release has made a breaking format: what they read may mean something else then.
 * Functions that read check this together with the id, in one statement; functions that write check it under the lock.
 */
import { DIFFERENT_LOG, NEWER_FORMAT, WRONG_ENCODING } from './failed.ts';
import type { Parameter, Row } from './connecting/connection.ts';
import { FUNCTION_SETTINGS } from './connecting/settings.ts';

/** A function of one statement that only reads. */
export interface Reading {
  readonly name: string;
  /** Types of its parameters `$1`, `$2`, …: `'bigint, text[]'`. */
  readonly takes: string;
  /** Types of its columns. */
  readonly gives: string;
  /** `schema` is quoted. */
  readonly sql: (schema: string) => string;
}

const isLogSql = (schema: string, id: string): string => `l.id = ${id} AND l.schema = '${schema.slice(1, -1)}'`;

/** Raises unless the function's tables are those of the log with this id. `schema` is quoted. */
export const sameLogSql = (schema: string, id: string): string =>
  `  IF NOT EXISTS (SELECT FROM ${schema}.log l WHERE ${isLogSql(schema, id)}) THEN
    RAISE EXCEPTION 'another log' USING ERRCODE = '${DIFFERENT_LOG}';
  END IF;`;

/** Text that is converted on its way would be stored, or read, as another text. */
const utf8Sql = `  IF current_setting('client_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'client_encoding is not UTF8' USING ERRCODE = '${WRONG_ENCODING}';
  END IF;`;

/** The beginning of a function that writes. */
export const beginSql = (schema: string, id: string): string => `${utf8Sql}\n${sameLogSql(schema, id)}`;

/** Whether the log has a newer breaking format than `format`. */
const newerFormatSql = (schema: string, format: number): string =>
  `EXISTS (SELECT FROM ${schema}.migrations m WHERE m.breaking AND m.format > ${format})`;

const RAISE_NEWER = `RAISE EXCEPTION 'the log was brought to a newer format' USING ERRCODE = '${NEWER_FORMAT}';`;

/** Raises if it has. `format`: the one that made the function. */
export const sameFormatSql = (schema: string, format: number): string =>
  `  IF ${newerFormatSql(schema, format)} THEN
    ${RAISE_NEWER}
  END IF;`;

/**
 * The beginning of a function of format `format` that reads. It checks both in one statement, as a statement costs more than
 * the checks; only if they fail it finds out which one. (At its end the function needn't check the format again: it still
 * sees what it saw at its beginning.)
 */
const readingSql = (schema: string, id: string, format: number): string =>
  `${utf8Sql}
  IF NOT EXISTS (SELECT FROM ${schema}.log l WHERE ${isLogSql(schema, id)} AND NOT ${newerFormatSql(schema, format)}) THEN
${sameLogSql(schema, id)}
    ${RAISE_NEWER}
  END IF;`;

/** `format` is the one that made the function. */
export const readingFunction =
  ({ name, takes, gives, sql }: Reading, format: number) =>
  (schema: string): string => {
    const parameters = typesIn(takes);
    const id = `$${parameters.length + 1}`;
    return `
CREATE OR REPLACE FUNCTION ${schema}.${name}(${[...parameters, 'uuid'].join(', ')})
RETURNS TABLE (${typesIn(gives)
      .map((type, index) => `c${index + 1} ${type}`)
      .join(', ')})
LANGUAGE plpgsql STABLE
${FUNCTION_SETTINGS}
AS $function$
#variable_conflict use_column
BEGIN
${readingSql(schema, id, format)}
  RETURN QUERY ${sql(schema)};
${sameLogSql(schema, id)}
END
$function$;
`;
  };

/** Runs a function that reads, or a statement; the log's id is added to the parameters. */
export type Calls = (what: Reading | string, parameters?: readonly Parameter[]) => Promise<readonly Row[]>;

/** The statement that calls a function which reads. */
export function callOf(schema: string, { name, takes }: Reading): string {
  return call(schema, name, typesIn(takes).length);
}

function typesIn(list: string): readonly string[] {
  return list === '' ? [] : list.split(', ');
}

/** The statement that calls any function: with as many parameters as it takes, and the log's id after them. */
export function call(schema: string, name: string, takes: number, columns = '*'): string {
  const places = Array.from({ length: takes + 1 }, (_, index) => `$${index + 1}`).join(', ');
  return `SELECT ${columns} FROM ${schema}.${name}(${places})`;
}
