/**
 * Makes the log, or brings an older format up to date. If several servers start at once, the first does it and the others
 * find it done: they wait for its schema or table of the same name, or for the write lock. An older server goes on beside a
 * newer format unless that is a breaking one.
 */
import { FormatTooNew, NotALog, WrongLog } from '../../../errors.ts';
import type { Connection, Query } from './connection.ts';
import { corrupt } from '../../corrupt.ts';
import { notWritable, wrongLog } from '../errors.ts';
import { isMadeMeanwhile } from '../failed.ts';
import { lockSql } from '../writing/lock.ts';
import { FORMAT, MIGRATIONS, quoted } from '../schema.ts';
import type { Settings } from './options.ts';

/** What is found where the log should be. */
export interface Found {
  /** 0 if there is no log yet. */
  readonly format: number;
  /** There is no schema either. */
  readonly missing: boolean;
  /** The log's id, if there is a log. */
  readonly log: string | undefined;
}

const LOOK = `
  SELECT ns.oid IS NOT NULL, has_schema_privilege(ns.oid, 'USAGE'),
    (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = ns.oid AND c.relname = 'migrations' AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT c.relname FROM pg_class c WHERE c.relnamespace = ns.oid LIMIT 1),
    (SELECT p.proname FROM pg_proc p WHERE p.pronamespace = ns.oid LIMIT 1),
    (SELECT t.typname FROM pg_type t WHERE t.typnamespace = ns.oid LIMIT 1)
  FROM (SELECT to_regnamespace($1)::oid AS oid) ns`;

/** The columns of the table `migrations`: by them a log is known. */
const COLUMNS = 'format,breaking,applied_at';

/** Within a transaction that states its settings. @throws NotALog, NotWritable, FormatTooNew, WrongLog if no log can be there */
export async function findLog(query: Query, name: string, place: string): Promise<Found> {
  const schema = quoted(name);
  const [row] = await query(LOOK, [schema]);
  const [exists, usable, columns, ...objects] = row!;
  if (exists !== 't') return { format: 0, missing: true, log: undefined };
  if (usable !== 't') throw notWritable(place, `permission denied for schema ${name}`);
  if (columns !== COLUMNS) {
    const object = objects.find((one) => one !== null);
    if (object === undefined) return { format: 0, missing: false, log: undefined };
    throw new NotALog(
      `The ${place} holds something that isn't a log (${object}). It was left as it is: choose another schema.`,
      { place, object },
    );
  }
  const rows = await query(`SELECT format, breaking FROM ${schema}.migrations ORDER BY format`, []);
  const newest = Number(rows.at(-1)?.[0] ?? 0);
  const newer = rows.find(([format, breaking]) => Number(format) > FORMAT && breaking === 't');
  if (newer !== undefined) {
    throw new FormatTooNew(
      `The log in ${place} is of format ${newest}, and this version reads formats up to ${FORMAT}. Upgrade the package.`,
      { place, format: newest, supported: FORMAT },
    );
  }
  return { format: newest, missing: false, log: await idOf(query, name, place) };
}

/** @throws WrongLog if the log's functions name another schema */
async function idOf(query: Query, name: string, place: string): Promise<string> {
  const [row] = await query(`SELECT id, schema FROM ${quoted(name)}.log`, []);
  const [id, madeIn] = row ?? [];
  if (typeof id !== 'string' || typeof madeIn !== 'string') throw corrupt('it has no id');
  if (madeIn === name) return id;
  throw new WrongLog(
    `The log in ${place} was made in a schema ${madeIn}, which was renamed: its functions still use ${madeIn}, and whatever ` +
      `is there now. Nothing was done. Rename it back (ALTER SCHEMA ${name} RENAME TO ${madeIn}), or let its owner run the ` +
      `SQL that renamed('${name}') from tidemark/postgres gives.`,
    { place, schema: name, madeIn },
  );
}

/** @throws WrongLog, NotALog, FormatTooNew if the log with this id isn't there, or this version can't read its format */
export async function assertSameLog(query: Query, name: string, id: string, place: string): Promise<void> {
  const { log } = await findLog(query, name, place);
  if (log === id) return;
  throw wrongLog(place, { place, schema: name }, log === undefined ? 'none' : undefined);
}

/** Another server may have made the schema, and in the next try the first table in it. */
const TRIES_MAX = 5;

export async function migrate(connection: Connection, settings: Settings): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await migrateOnce(connection, settings);
    } catch (error) {
      if (tries === TRIES_MAX || !isMadeMeanwhile(error) || !(await connection.rollback())) throw error;
    }
  }
}

async function migrateOnce(connection: Connection, settings: Settings): Promise<void> {
  const { schema: name, place, lockTimeoutMs: timeoutMs } = settings;
  const schema = quoted(name);
  const query: Query = (text, parameters) => connection.query(text, parameters, { timeoutMs: timeoutMs * 2 });
  // At this level what comes after the lock sees what its last holder has made.
  await connection.begin('READ COMMITTED', { statementTimeoutMs: timeoutMs * 2, lockTimeoutMs: timeoutMs });
  await query('SET LOCAL default_table_access_method = heap');
  let found = await findLog(query, name, place);
  if (found.missing) await query(`CREATE SCHEMA ${schema}`);
  if (found.format === 0) {
    await query(
      `CREATE TABLE ${schema}.migrations (format integer PRIMARY KEY, breaking boolean NOT NULL, applied_at timestamptz NOT NULL)`,
    );
  } else {
    // Nobody appends while the format changes, and one server at a time changes it.
    await query(lockSql(schema));
    found = await findLog(query, name, place);
  }
  for (const [index, { breaking, sql }] of MIGRATIONS.entries()) {
    if (index < found.format) continue;
    await query(sql(schema));
    await query(`INSERT INTO ${schema}.migrations VALUES ($1, $2, now())`, [String(index + 1), String(breaking)]);
  }
  await connection.commit();
}
