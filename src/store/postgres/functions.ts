/**
 * The functions of a log: how those that read are made, and how all are called.
 *
 * Names of tables stand in their bodies as they were when the log was made, and a schema may be renamed. So a log knows who
 * it is: its table `log` has an id of its own and the name of the schema that its functions speak of. Whoever opens a log
 * remembers its id and says it last in every call, and every function begins and ends by asking whether it speaks of that
 * log: at its end once more, as a rename in between would lead its later statements elsewhere. What it did until then is
 * rolled back.
 */
import { DIFFERENT_LOG, WRONG_ENCODING } from './errors.ts';
import { FUNCTION_SETTINGS } from './settings.ts';

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

/** Raises unless the tables that are spoken of are those of the log with this id. `schema` is quoted. */
export const sameLogSql = (schema: string, id: string): string =>
  `  IF NOT EXISTS (SELECT FROM ${schema}.log l WHERE l.id = ${id} AND l.schema = '${schema.slice(1, -1)}') THEN
    RAISE EXCEPTION 'another log' USING ERRCODE = '${DIFFERENT_LOG}';
  END IF;`;

/** How each function begins: text that is converted on its way would be stored, or read, as another one. */
export const beginSql = (schema: string, id: string): string =>
  `  IF current_setting('client_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'client_encoding is not UTF8' USING ERRCODE = '${WRONG_ENCODING}';
  END IF;
${sameLogSql(schema, id)}`;

export const readingFunction =
  ({ name, takes, gives, sql }: Reading) =>
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
${beginSql(schema, id)}
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
