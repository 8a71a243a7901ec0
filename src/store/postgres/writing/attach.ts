/**
 * Attaching events that are stored already to the documents of a keying: `attach_v1`, under the write lock. Whoever comes late
 * finds that the keying isn't there any more, and stores nothing.
 *
 * The lists of events aren't rewritten. What is attached later is in `attachments`, and in `later` by position.
 */
import { Buffer } from 'node:buffer';
import { corrupt } from '../../corrupt.ts';
import type { AttachedPage, Stepped } from '../../store.ts';
import { int4s, int8s, texts } from '../arrays.ts';
import { call, type Calls } from '../functions.ts';
import { raiseSql } from './change-v1.ts';
import { NamePlaces } from './encode.ts';
import { durableFunctionSql } from './lock.ts';
import { heldSql } from '../reading/commits.ts';
import { bounded } from '../values.ts';
import { isStepped } from './sets.ts';

const DECLARES = `
  end_position bigint;
  collection int;
  type_numbers int[];
  numbers bigint[];
  heads bigint[];
  newest bigint;
  numbered bigint[];`;

/** Each document of the page once, numbered here if it is new, and each of its events with the next version. */
const attachmentsSql = (schema: string): string => `
    INSERT INTO ${schema}.names (number, name)
      SELECT coalesce((SELECT n.number FROM ${schema}.names n ORDER BY n.number DESC LIMIT 1), 0) + 1, keying
        WHERE NOT EXISTS (SELECT FROM ${schema}.names n WHERE n.name = keying);
    collection := (SELECT n.number FROM ${schema}.names n WHERE n.name = keying);
    type_numbers := ARRAY(
      SELECT (SELECT n.number FROM ${schema}.names n WHERE n.name = given.type) FROM unnest(types) AS given (type));
    numbers := ARRAY(
      SELECT (SELECT d.number FROM ${schema}.documents d WHERE d.collection = collection AND d.id = given.id)
        FROM unnest(ids) AS given (id));
    heads := ARRAY(
      SELECT coalesce((SELECT a.version FROM ${schema}.attachments a
                       WHERE a.document = given.number ORDER BY a.version DESC LIMIT 1), 0)
        FROM unnest(numbers) AS given (number));
    newest := coalesce((SELECT d.number FROM ${schema}.documents d ORDER BY d.number DESC LIMIT 1), 0);
    numbered := ARRAY(
      SELECT coalesce(given.number, newest + count(*) FILTER (WHERE given.number IS NULL) OVER (ORDER BY given.ordinal))
        FROM unnest(numbers) WITH ORDINALITY AS given (number, ordinal) ORDER BY given.ordinal);
    INSERT INTO ${schema}.documents (number, collection, id)
      SELECT given.number, collection, given.id
        FROM unnest(numbers, numbered, ids) AS given (known, number, id) WHERE given.known IS NULL;
    INSERT INTO ${schema}.attachments (document, version, position, type)
      SELECT numbered[given.document], heads[given.document] + given.step, given.position, type_numbers[given.type]
        FROM unnest(documents, steps, positions, event_types) AS given (document, step, position, type);
    INSERT INTO ${schema}.later (position, document, version)
      SELECT given.position, numbered[given.document], heads[given.document] + given.step
        FROM unnest(documents, steps, positions) AS given (document, step, position);`;

/**
 * `types` and `ids` have each type and each id of the page once. The other arrays have one value for each attachment: the places
 * of its document and its type there, from 1, and its place among the attachments of its document.
 */
export const attachV1 = (schema: string): string =>
  durableFunctionSql(
    schema,
    `attach_v1(
  lock_timeout text, keying text, generation bigint, from_position bigint, to_position bigint, seen_position bigint, seen_hash bytea,
  live boolean, types text[], ids text[], documents int[], steps bigint[], positions bigint[], event_types int[], log uuid,
  OUT status text
)`,
    {
      declares: DECLARES,
      does: `  status := 'moved';
  end_position := coalesce(
    (SELECT c.position + c.event_count - 1 FROM ${schema}.commits c ORDER BY c.position DESC LIMIT 1), 0);
  IF to_position > seen_position OR NOT ${heldSql(schema, 'seen_position', 'seen_hash')} THEN
    status := 'diverged';
  ELSIF generation IS DISTINCT FROM (SELECT m.value FROM ${schema}.meta m WHERE m.name = 'generation') THEN
    status := 'behind';
  ELSIF to_position >= from_position AND (to_position = end_position OR NOT live) THEN
    UPDATE ${schema}.keyings k SET filled = to_position, state = CASE WHEN live THEN 'live' ELSE 'filling' END
      WHERE k.name = keying AND k.state = 'filling' AND k.filled = from_position;
    IF FOUND THEN
      status := 'stored';
    END IF;
  END IF;
  IF status = 'stored' AND cardinality(ids) > 0 THEN${attachmentsSql(schema)}
  END IF;
  IF status = 'stored' AND live THEN${raiseSql(schema)}
  END IF;
`,
    },
  );

export class Attacher {
  readonly #call: string;
  readonly #lockTimeoutMs: number;

  /** `schema` is quoted. */
  constructor(schema: string, lockTimeoutMs: number) {
    this.#call = call(schema, 'attach_v1', 14, 'status');
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /** Within the transaction of an exclusive section. */
  async attach(query: Calls, page: AttachedPage): Promise<Stepped> {
    const { keying, generation, from, to, seen, attachments, live } = page;
    const point = [String(bounded(seen.position)), Buffer.from(seen.hash, 'hex')];
    const bounds = [keying, String(bounded(generation)), String(from), String(to), ...point, String(live)];
    const [row] = await query(this.#call, [String(this.#lockTimeoutMs), ...bounds, ...listsOf(attachments)]);
    const status = row?.[0];
    if (isStepped(status)) return status;
    throw corrupt(`attach_v1 answers ${String(status)}, which it never does`);
  }
}

function listsOf(attachments: AttachedPage['attachments']) {
  const [types, ids] = [new NamePlaces(), new NamePlaces()];
  const documents: number[] = [];
  const steps: number[] = [];
  const positions: number[] = [];
  const eventTypes: number[] = [];
  const counts: number[] = [];
  for (const { position, type, ids: found } of attachments) {
    for (const id of found) {
      const document = ids.of(id);
      const step = (counts[document] ?? 0) + 1;
      counts[document] = step;
      documents.push(document);
      steps.push(step);
      positions.push(position);
      eventTypes.push(types.of(type));
    }
  }
  const lists = [int4s(documents), int8s(steps), int8s(positions), int4s(eventTypes)];
  return [texts(types.names), texts(ids.names), ...lists];
}
