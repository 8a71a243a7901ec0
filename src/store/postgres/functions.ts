/**
 * The functions of a log: how those that read are made, and how all are called.
 *
 * Names of tables stand in their bodies as they were when the log was made, and a schema may be renamed. So a log knows
 * which one it is: its table `log` has an id of its own and the name of the schema that its functions speak of. A session
 * remembers the id of the log that it opened and says it last in every call, and every function begins and ends by asking whether it speaks of that
 * log: at its end once more, as a rename in between would lead its later statements elsewhere. What it did until then is
 * rolled back.
 *
 * No function goes on once a later release has made a format that breaks with its own: what it finds may mean something
 * else by then. Those that read ask this with the log's id, in one statement; those that write, under the lock.
 */
import { DIFFERENT_LOG, NEWER_FORMAT, WRONG_ENCODING } from './failed.ts';
import { FUNCTION_SETTINGS } from './connecting/settings.ts';

/** A function of one statement that only reads. */
export interface Reading {
  readonly name: string;
  /** Types of its parameters, which the statement knows as `$1`, `$2`, …: `'bigint, text[]'`. */
  readonly takes: string;
  /** Types of its columns. */
  readonly gives: string;
  /** `schema` is quoted. */
  readonly sql: (schema: string) => string;
}

const isLogSql = (schema: string, id: string): string => `l.id = ${id} AND l.schema = '${schema.slice(1, -1)}'`;

/** Raises unless the tables that are spoken of are those of the log with this id. `schema` is quoted. */
export const sameLogSql = (schema: string, id: string): string =>
  `  IF NOT EXISTS (SELECT FROM ${schema}.log l WHERE ${isLogSql(schema, id)}) THEN
    RAISE EXCEPTION 'another log' USING ERRCODE = '${DIFFERENT_LOG}';
  END IF;`;

/** Text that is converted on its way would be stored, or read, as another one. */
const utf8Sql = `  IF current_setting('client_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'client_encoding is not UTF8' USING ERRCODE = '${WRONG_ENCODING}';
  END IF;`;

/** How a function begins that writes. */
export const beginSql = (schema: string, id: string): string => `${utf8Sql}\n${sameLogSql(schema, id)}`;

/** Whether the log was brought to a format that breaks with `format`. */
const newerFormatSql = (schema: string, format: number): string =>
  `EXISTS (SELECT FROM ${schema}.migrations m WHERE m.breaking AND m.format > ${format})`;

const RAISE_NEWER = `RAISE EXCEPTION 'the log was brought to a newer format' USING ERRCODE = '${NEWER_FORMAT}';`;

/** Raises if it was: the function was made by format `format`, and so was the code that calls it. */
export const sameFormatSql = (schema: string, format: number): string =>
  `  IF ${newerFormatSql(schema, format)} THEN
    ${RAISE_NEWER}
  END IF;`;

/**
 * How a function of format `format` begins that reads. Two questions in one statement, as a statement costs more than
 * they do; only if the answer is no is it asked which of them it was. At its end a function that reads sees what it saw
 * at its beginning, so there the format isn't asked again.
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

/** The statement that calls a function which reads. */
export function callOf(schema: string, { name, takes }: Reading): string {
  return call(schema, name, typesIn(takes).length);
}

function typesIn(list: string): readonly string[] {
  return list === '' ? [] : list.split(', ');
}

/** The same for any function: with as many parameters as it takes, and the log's id after them. */
export function call(schema: string, name: string, takes: number, columns = '*'): string {
  const places = Array.from({ length: takes + 1 }, (_, index) => `$${index + 1}`).join(', ');
  return `SELECT ${columns} FROM ${schema}.${name}(${places})`;
}
