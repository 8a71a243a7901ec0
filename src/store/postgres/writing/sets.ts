/**
 * Sets of stored documents.
 *
 * A step is one call of `advance_v1`, without the write lock: it waits for no append, and none waits for it. A log only grows, so
 * whether it holds the events of the step needs no lock either. Then the step begins by moving the set's row in `sets`, and only if that is at the right place and of the right generation. So of two steps at once the second
 * waits for the first, and then finds that the set has moved. Whoever raises the generation changes that row too (change-v1.ts),
 * so it comes before the step or after it. Rows in `stored` and `entries` are written only by those who have locked the row of
 * their set, and a step locks no other: so it can't be a part of a deadlock.
 */
import { Buffer } from 'node:buffer';
import type { IndexedPage, SetStep, Stepped } from '../../store.ts';
import { byteStrings, int8s, textBytes, texts, textsOrNull } from '../arrays.ts';
import { corrupt } from '../../corrupt.ts';
import { call, type Calls } from '../functions.ts';
import { heldSql } from '../reading/commits.ts';
import { bounded } from '../values.ts';
import { raiseSql } from './change-v1.ts';
import { besideFunctionSql, durableFunctionSql } from './lock.ts';

const documentsSql = (schema: string): string => `
    INSERT INTO ${schema}.stored (document_set, id, version, changed, state, failed)
      SELECT document_set, given.* FROM unnest(ids, versions, changes, states, failures)
          AS given (id, version, changed, state, failed) ORDER BY given.id
      ON CONFLICT ON CONSTRAINT stored_pkey DO UPDATE SET
        version = excluded.version, changed = excluded.changed, state = excluded.state, failed = excluded.failed;`;

/** Entries of indexes that this set doesn't have are left out. */
const entriesSql = (schema: string): string => `
    indexed := ARRAY(SELECT i.number FROM ${schema}.indexes i WHERE i.document_set = advance_v1.document_set);
    DELETE FROM ${schema}.entries e USING unnest(dropped_indexes, dropped_keys) AS given (index_number, key)
      WHERE e.index_number = given.index_number AND e.key = given.key AND given.index_number = ANY (indexed);
    INSERT INTO ${schema}.entries (index_number, key, id)
      SELECT given.index_number, given.key, given.id
        FROM unnest(added_indexes, added_keys, added_ids) AS given (index_number, key, id)
        WHERE given.index_number = ANY (indexed)
        ORDER BY given.index_number, given.key
      ON CONFLICT ON CONSTRAINT entries_pkey DO NOTHING;`;

export const advanceV1 = (schema: string): string =>
  besideFunctionSql(
    schema,
    `advance_v1(
  lock_timeout text, document_set bigint, generation bigint, from_position bigint, from_hash bytea, to_position bigint,
  to_hash bytea, seen_position bigint, seen_hash bytea, ids bytea[], versions bigint[], changes bigint[], states text[], failures text[],
  dropped_indexes bigint[], dropped_keys bytea[], added_indexes bigint[], added_keys bytea[], added_ids bytea[], log uuid,
  OUT status text
)`,
    {
      declares: 'indexed bigint[];',
      does: `  IF to_position > seen_position OR NOT ${heldSql(schema, 'seen_position', 'seen_hash')} THEN
    status := 'diverged';
  ELSE
    UPDATE ${schema}.sets s SET position = to_position, hash = to_hash
      WHERE s.number = document_set AND s.generation = advance_v1.generation AND s.position = from_position
        AND s.hash = from_hash;
    IF FOUND THEN${documentsSql(schema)}
      IF cardinality(dropped_indexes) + cardinality(added_indexes) > 0 THEN${entriesSql(schema)}
      END IF;
      status := 'stored';
    ELSIF EXISTS (
        SELECT FROM ${schema}.sets s WHERE s.number = document_set AND s.generation = advance_v1.generation) THEN
      status := 'moved';
    ELSE
      status := 'behind';
    END IF;
  END IF;
`,
    },
  );

/** Keeps a set where it is until the transaction ends: what an exclusive section reads of it mustn't change meanwhile. */
const holdSql = (schema: string, set: string): string =>
  `PERFORM FROM ${schema}.sets s WHERE s.number = ${set} FOR NO KEY UPDATE;`;

export const holdSetV1 = (schema: string): string =>
  durableFunctionSql(schema, 'hold_set_v1(lock_timeout text, document_set bigint, log uuid) RETURNS void', {
    does: `  ${holdSql(schema, 'document_set')}\n`,
  });

/** The set is locked before its entries, as a step does it. */
export const fillIndexV1 = (schema: string): string =>
  durableFunctionSql(
    schema,
    `fill_index_v1(
  lock_timeout text, index_number bigint, from_id text, to_id text, live boolean, keys bytea[], ids bytea[], log uuid,
  OUT done boolean
)`,
    {
      does: `  ${holdSql(schema, `(SELECT i.document_set FROM ${schema}.indexes i WHERE i.number = index_number)`)}
  UPDATE ${schema}.indexes i SET filled = CASE WHEN live THEN NULL ELSE to_id END,
      state = CASE WHEN live THEN 'live' ELSE 'filling' END
    WHERE i.number = index_number AND i.state = 'filling' AND i.filled IS NOT DISTINCT FROM from_id;
  done := FOUND;
  IF done THEN
    INSERT INTO ${schema}.entries (index_number, key, id)
      SELECT index_number, given.key, given.id FROM unnest(keys, ids) AS given (key, id) ORDER BY given.key
      ON CONFLICT ON CONSTRAINT entries_pkey DO NOTHING;
  END IF;
  IF done AND live THEN${raiseSql(schema)}
  END IF;
`,
    },
  );

export function isStepped(status: unknown): status is Stepped {
  return status === 'stored' || status === 'moved' || status === 'behind' || status === 'diverged';
}

export class Sets {
  readonly #schema: string;
  readonly #lockTimeoutMs: number;

  /** `schema` is quoted. */
  constructor(schema: string, lockTimeoutMs: number) {
    this.#schema = schema;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  async advance(query: Calls, step: SetStep): Promise<Stepped> {
    const { set, generation, from, to, seen, documents, dropped, added } = step;
    const [row] = await query(call(this.#schema, 'advance_v1', 19, 'status'), [
      String(this.#lockTimeoutMs),
      String(bounded(set)),
      String(bounded(generation)),
      String(bounded(from.position)),
      Buffer.from(from.hash, 'hex'),
      String(bounded(to.position)),
      Buffer.from(to.hash, 'hex'),
      String(bounded(seen.position)),
      Buffer.from(seen.hash, 'hex'),
      textBytes(documents.map(({ id }) => id)),
      int8s(documents.map(({ version }) => version)),
      int8s(documents.map(({ changed }) => changed)),
      texts(documents.map(({ state }) => state)),
      textsOrNull(documents.map(({ failed }) => failed)),
      int8s(dropped.map(({ index }) => index)),
      byteStrings(dropped.map(({ key }) => key)),
      int8s(added.map(({ index }) => index)),
      byteStrings(added.map(({ key }) => key)),
      textBytes(added.map(({ id }) => id)),
    ]);
    const status = row?.[0];
    if (isStepped(status)) return status;
    throw corrupt(`advance_v1 answers ${String(status)}, which it never does`);
  }

  /** Within the transaction of an exclusive section. */
  async hold(query: Calls, set: number): Promise<void> {
    await query(call(this.#schema, 'hold_set_v1', 2), [String(this.#lockTimeoutMs), String(bounded(set))]);
  }

  /** Within the transaction of an exclusive section. */
  async fillIndex(query: Calls, { index, from, to, entries, live }: IndexedPage): Promise<boolean> {
    const [row] = await query(call(this.#schema, 'fill_index_v1', 7, 'done'), [
      String(this.#lockTimeoutMs),
      String(bounded(index)),
      from ?? null,
      to ?? null,
      String(live),
      byteStrings(entries.map(({ key }) => key)),
      textBytes(entries.map(({ id }) => id)),
    ]);
    return row?.[0] === 't';
  }
}
