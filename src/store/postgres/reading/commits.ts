/** The chain and the ledger: both are the table `commits`. */
import { Buffer } from 'node:buffer';
import { pageRows } from '../../page-bounds.ts';
import { GENESIS_HASH } from '../../chain.ts';
import type { CommitRange, LogEnd, LogPoint, StoredCommit } from '../../store.ts';
import { texts } from '../arrays.ts';
import type { Row, Value } from '../connecting/connection.ts';
import { corrupt } from '../../corrupt.ts';
import type { Calls, Reading } from '../functions.ts';
import { above, bounded, count, hash, text, upTo, whole } from '../values.ts';

/** The end of the log, as a table expression: without a row if the log is empty. */
export const endSql = (schema: string): string =>
  `(SELECT c.position + c.event_count - 1 AS position, c.recorded_at, encode(c.hash, 'hex') AS hash
    FROM ${schema}.commits c ORDER BY c.position DESC LIMIT 1)`;

/** Whether a commit of the log ends at a position with a hash (`bytea`). */
export const holdsSql = (schema: string, position: string, hash: string): string => `((
    SELECT c.position + c.event_count - 1 = ${position} AND c.hash = ${hash}
    FROM ${schema}.commits c WHERE c.position <= ${position} ORDER BY c.position DESC LIMIT 1) IS TRUE)`;

/** The same, also for the start of the log. */
export const heldSql = (schema: string, position: string, hash: string): string =>
  `(${position} = 0 AND ${hash} = decode('${GENESIS_HASH}', 'hex') OR ${holdsSql(schema, position, hash)})`;

/** A point as two parameters, `bigint` and `bytea`: null where nothing has to be looked up. */
export function pointParameters(point: LogPoint | undefined): readonly [string | null, Buffer | null] {
  if (point === undefined || point.position === 0) return [null, null];
  return [String(bounded(point.position)), Buffer.from(point.hash, 'hex')];
}

/** Whether the log holds a point. `said`: the function's answer, which isn't needed for the start of the log. */
export function holdsPoint(point: LogPoint | undefined, said: Value | undefined): boolean {
  if (point === undefined || point.position === 0) return point === undefined || point.hash === GENESIS_HASH;
  return said === 't';
}

/** Reads the three columns of {@link endSql} from the start of a row. */
export function endOf([position, recordedAt, bytes]: Row): LogEnd {
  if (position === null) return { position: 0, hash: GENESIS_HASH, recordedAt: 0 };
  return {
    position: count(position, 'the end of the log'),
    hash: hash(bytes, { position }),
    recordedAt: whole(recordedAt, 'a time', { position }),
  };
}

/** The columns of a commit `c` and their types, its name as `n.name`; {@link storedCommit} reads them in this order. */
const COMMIT = {
  'c.position': 'bigint',
  'c.event_count': 'int',
  'c.command_id': 'text',
  'c.attempt': 'bigint',
  'n.name': 'text',
  "encode(c.fingerprint, 'hex')": 'text',
  'c.actor': 'text',
  'c.correlation': 'text',
  'c.causation': 'text',
  'c.outcome': 'smallint',
  'c.reason': 'text',
  'c.details': 'text',
  'c.time': 'bigint',
  'c.recorded_at': 'bigint',
  "encode(c.hash, 'hex')": 'text',
};
export const COMMIT_COLUMNS = Object.keys(COMMIT);
export const COMMIT_GIVES = Object.values(COMMIT).join(', ');

export function storedCommit(row: readonly Value[]): StoredCommit {
  const [at, eventCount, id, attempt, name, fingerprint, actor, correlation, causation, ...rest] = row;
  const [outcome, reason, details, time, recordedAt, chained] = rest;
  const position = count(at, 'a position');
  const where = { position };
  if (outcome !== '0' && outcome !== '1') throw corrupt('an outcome that doesn’t exist', where);
  const final = attempt === '0';
  // A success is final: otherwise the same id could run again.
  if (!final && (attempt !== at || outcome === '0')) throw corrupt("an attempt isn't valid", where);
  return {
    command: {
      id: text(id, 'a command id', where),
      name: text(name, 'the name of a command', where),
      fingerprint: hash(fingerprint, where),
      ...(typeof actor === 'string' && { actor }),
      ...(typeof correlation === 'string' && { correlation }),
      ...(typeof causation === 'string' && { causation }),
    },
    outcome: outcome === '0' ? 'succeeded' : 'failed',
    final,
    ...(typeof reason === 'string' && { reason }),
    ...(typeof details === 'string' && { details }),
    time: whole(time, 'a time', where),
    position,
    eventCount: count(eventCount, 'a number of events', where),
    recordedAt: whole(recordedAt, 'a time', where),
    hash: hash(chained, where),
  };
}

const COLUMNS = COMMIT_COLUMNS.join(', ');

const pageSql = (schema: string, order: 'ASC' | 'DESC', last: string): string =>
  `SELECT ${COLUMNS} FROM ${schema}.commits c LEFT JOIN ${schema}.names n ON n.number = c.name
   WHERE c.position > $1 AND c.position <= ${last} ORDER BY c.position ${order} LIMIT $3`;

/** The last commit recorded by a time, found by halving: `recorded_at` never runs backwards. */
const lastRecordedBySql = (schema: string): string => `least($2, (
    WITH RECURSIVE halving (low, high) AS (
      SELECT 0::bigint, coalesce((SELECT c.position FROM ${schema}.commits c ORDER BY c.position DESC LIMIT 1), 0)
      UNION ALL
      SELECT CASE WHEN coalesce(at.recorded_at <= $4, true) THEN half.position ELSE h.low END,
          CASE WHEN coalesce(at.recorded_at <= $4, true) THEN h.high ELSE at.position - 1 END
        FROM halving h
        CROSS JOIN LATERAL (SELECT (h.low + h.high + 1) / 2 AS position) half
        LEFT JOIN LATERAL (
          SELECT c.position, c.recorded_at FROM ${schema}.commits c
          WHERE c.position <= half.position ORDER BY c.position DESC LIMIT 1
        ) at ON true
        WHERE h.low < h.high)
    SELECT low FROM halving WHERE low >= high))`;

const page = (name: string, order: 'ASC' | 'DESC', recordedBy: boolean): Reading => ({
  name,
  takes: `bigint, bigint, int${recordedBy ? ', bigint' : ''}`,
  gives: COMMIT_GIVES,
  sql: (schema) => pageSql(schema, order, recordedBy ? lastRecordedBySql(schema) : '$2'),
});
const FORWARD = page('commits_forward_v1', 'ASC', false);
const BACKWARD = page('commits_backward_v1', 'DESC', false);
const FORWARD_BY = page('commits_forward_by_v1', 'ASC', true);
const BACKWARD_BY = page('commits_backward_by_v1', 'DESC', true);
const LEDGER: Reading = {
  name: 'ledger_v1',
  takes: 'text[]',
  gives: COMMIT_GIVES,
  sql: (schema) => `
    SELECT ${COLUMNS} FROM unnest($1) AS given (id)
    CROSS JOIN LATERAL (
      SELECT c.* FROM ${schema}.commits c WHERE c.command_id = given.id
      ORDER BY c.attempt = 0 DESC, c.attempt DESC LIMIT 1
    ) c LEFT JOIN ${schema}.names n ON n.number = c.name`,
};
export const COMMITS: readonly Reading[] = [FORWARD, BACKWARD, FORWARD_BY, BACKWARD_BY, LEDGER];

export class Commits {
  async commits(query: Calls, range: CommitRange): Promise<readonly StoredCommit[]> {
    const { after, upTo: last, recordedBy, reverse = false, limit } = range;
    const parameters = [above(after), upTo(last), String(pageRows(limit))];
    // A time below 0, or NaN, is before all that is recorded.
    if (recordedBy !== undefined) parameters.push(recordedBy >= 0 ? upTo(recordedBy) : '-1');
    const [forward, backward] = recordedBy === undefined ? [FORWARD, BACKWARD] : [FORWARD_BY, BACKWARD_BY];
    return (await query(reverse ? backward : forward, parameters)).map(storedCommit);
  }

  async ledger(query: Calls, ids: readonly string[]): Promise<readonly StoredCommit[]> {
    if (ids.length === 0) return [];
    return (await query(LEDGER, [texts([...new Set(ids)])])).map(storedCommit);
  }
}
