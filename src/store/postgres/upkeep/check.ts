/**
 * Looks for damage that the store itself can see: the rules in rules.ts. It takes long on a long log: it is for tools, not
 * for servers at work.
 *
 * It goes in pieces, each with a bounded number of rows and its own transaction: so no statement takes long, each sort fits
 * into memory, and a lost connection costs one piece. Each statement is of one moment, and between two pieces facts are only
 * added. What is attached later, and what is removed of retired keyings, isn't counted. So what is written between two pieces makes
 * no finding wrong.
 */
import { hasCode } from '../../../errors.ts';
import { FINDING, FINDINGS_MAX, registryFindings } from '../../findings.ts';
import type { Query, Row, Value } from '../connecting/connection.ts';
import { whole } from '../values.ts';
import {
  INDEX_PIECE,
  INDEXES,
  isRetired,
  OF_AN_INDEX,
  OF_DOCUMENTS,
  OF_ENTRIES,
  OF_STORED,
  OF_THE_INDEX,
  OF_THE_LOG,
  OF_THE_REGISTRY,
  OF_THE_WHOLE,
  PIECE,
  REGISTRY_ROWS,
} from './rules.ts';
import type { Rule } from './rules.ts';

/** Where the first pieces begin: below all that the tables can hold. */
const LEAST = String(-(2n ** 63n));
/** Most rows of a piece, and most bytes of the lists of its events. */
const ROWS = 1_000;
const LISTS_BYTES = 2 ** 17;

/**
 * A piece is found by its keys, by one process. Otherwise the planner goes by the first of two keys alone, and expects all
 * events of a busy document in the piece (220 ms in 2,000,000 rows, where 0.1 ms is needed).
 */
const BY_INDEX = 'SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0';

/** The end of the log, by its events or its commits, and the last number of a document. */
const ENDS = `SELECT greatest((SELECT max(position) FROM $.events), (
    SELECT position + event_count - 1 FROM $.commits ORDER BY position DESC LIMIT 1), 0),
  coalesce((SELECT max(number) FROM $.documents), 0)`;
const RETIRED = `SELECT string_agg(name, ' ' ORDER BY name) FROM $.keyings WHERE state = 'retired'`;

/**
 * Where a piece of the log ends: at least at the next event, if there is one. The end of the log is compared outside: inside,
 * all rows after the piece would be sorted for each piece.
 */
const LOG_PIECE_END = `SELECT max(position) FROM (
    SELECT position, sum(octet_length(attachments)) OVER (ORDER BY position) - octet_length(attachments) AS before
    FROM (SELECT position, attachments FROM $.events WHERE position > $1::bigint ORDER BY position LIMIT ${ROWS}) e) e
  WHERE before <= ${LISTS_BYTES} AND position <= $2::bigint`;
const LISTED = `SELECT coalesce(sum(cardinality(string_to_array(attachments, ','))), 0) / 2
    - CASE WHEN EXISTS (SELECT FROM $.keyings k WHERE k.state = 'retired') THEN (
      SELECT count(*) FROM $.events e
      CROSS JOIN LATERAL regexp_matches(e.attachments, '([0-9]{1,18}),[0-9]+', 'g') AS item (pair)
      WHERE ${PIECE} AND ${isRetired('item.pair[1]::bigint')}) ELSE 0 END
  FROM $.events WHERE ${PIECE}`;
const INDEX_PIECE_END = `SELECT document, version, position FROM (
    SELECT a.document, a.version, a.position FROM $.attachments a
    WHERE (a.document, a.version) > ($1::bigint, $2::bigint) ORDER BY a.document, a.version LIMIT ${ROWS}) a
  ORDER BY document DESC, version DESC LIMIT 1`;
const INDEXED = `SELECT count(*) FROM $.attachments a WHERE ${INDEX_PIECE} AND a.position <= $5::bigint
  AND NOT EXISTS (SELECT FROM $.later l WHERE l.position = a.position AND l.document = a.document)
  AND NOT ${isRetired('a.document')}`;
const DOCUMENTS_PIECE_END = `SELECT max(number) FROM (
    SELECT number FROM $.documents WHERE number > $1::bigint ORDER BY number LIMIT ${ROWS}) d
  WHERE number <= $2::bigint`;

const pairsPieceEnd = (table: string, number: string, bytes: string): string => `
  SELECT number, encode(bytes, 'hex') FROM (
    SELECT ${number} AS number, ${bytes} AS bytes FROM $.${table} WHERE (${number}, ${bytes}) > ($1::bigint, decode($2, 'hex'))
    ORDER BY ${number}, ${bytes} LIMIT ${ROWS}) p
  ORDER BY number DESC, bytes DESC LIMIT 1`;
const STORED_PIECE_END = pairsPieceEnd('stored', 'document_set', 'id');
const ENTRIES_PIECE_END = pairsPieceEnd('entries', 'index_number', 'key');

/** Runs statements in one transaction that only reads. Each statement may see another end of the log. */
export type InTransaction = <T>(run: (query: Query) => Promise<T>) => Promise<T>;

/** One sentence for each finding. `schema` is quoted. */
export async function check(inTransaction: InTransaction, schema: string): Promise<readonly string[]> {
  const walk = new Walk((run) =>
    inTransaction((query) =>
      run((sql, parameters) => query(sql.replaceAll('$.', `${schema}.`).replaceAll("'$'", `'${schema}'`), parameters)),
    ),
  );
  const ends = await walk.look(async (query) => (await query(ENDS))[0]);
  const retired = async (): Promise<Value | undefined> => (await walk.look((query) => query(RETIRED)))?.[0]?.[0];
  const before = await retired();
  for (const rule of [...OF_THE_WHOLE, ...OF_THE_REGISTRY]) await walk.look((query) => walk.apply(query, [rule]));
  await walk.look(async (query) => walk.tell(registryFindings(await query(REGISTRY_ROWS))));
  if (ends !== undefined) {
    const [end, lastDocument] = ends as readonly [string, string];
    const listed = await walk.log(end);
    const indexed = await walk.index(end);
    await walk.documents(lastDocument);
    const areComparable = listed !== undefined && indexed !== undefined && (await retired()) === before;
    if (areComparable && listed !== indexed) {
      walk.tell([FINDING.otherCounts(indexed, listed)]);
    }
  }
  await walk.pairs(STORED_PIECE_END, OF_STORED);
  await walk.pairs(ENTRIES_PIECE_END, OF_ENTRIES);
  for (const [index] of (await walk.look((query) => query(INDEXES))) ?? [])
    await walk.look((query) => walk.apply(query, OF_AN_INDEX, [index!]));
  return walk.findings();
}

/** A walk along the log, the index and the documents, with its findings. */
class Walk {
  readonly #inTransaction: InTransaction;
  // Sets, as a piece is read twice if its connection is lost.
  readonly #broken = new Map<Rule, Set<string>>();
  readonly #others = new Set<string>();

  constructor(inTransaction: InTransaction) {
    this.#inTransaction = inTransaction;
  }

  findings(): readonly string[] {
    return [...this.#broken.values(), this.#others].flatMap((found) => Array.from(found));
  }

  tell(findings: readonly string[]): void {
    for (const finding of findings) this.#others.add(finding);
  }

  /** Looks for the rows that break rules. */
  async apply(query: Query, rules: readonly Rule[], parameters: readonly Value[] = []): Promise<void> {
    for (const rule of rules) {
      const found = this.#broken.get(rule) ?? new Set();
      this.#broken.set(rule, found);
      const left = FINDINGS_MAX - found.size;
      if (left <= 0) continue;
      for (const row of await query(`${rule.sql} LIMIT ${left}`, parameters)) found.add(rule.sentence(...row));
    }
  }

  /** How many attachments the events of the log list. */
  log(end: string): Promise<number | undefined> {
    return this.#contained(async () => {
      let listed = 0;
      for (let after = LEAST; BigInt(after) < BigInt(end);) {
        const piece = await this.#piece(async (query) => {
          const [row] = await query(LOG_PIECE_END, [after, end]);
          const upTo = row?.[0] ?? end;
          await this.apply(query, OF_THE_LOG, [after, upTo]);
          return { upTo, count: await this.#count(query, LISTED, [after, upTo]) };
        });
        after = piece.upTo;
        listed += piece.count;
      }
      return listed;
    });
  }

  /** How many attachments the index has of events up to the end. */
  index(end: string): Promise<number | undefined> {
    return this.#contained(async () => {
      let indexed = 0;
      let last: Row | undefined = [LEAST, LEAST, '0'];
      while (last !== undefined) {
        const [document, version, position] = last as readonly [string, string, string];
        const piece: { readonly next: Row; readonly count: number } | undefined = await this.#piece(async (query) => {
          const [next] = await query(INDEX_PIECE_END, [document, version]);
          if (next === undefined) return undefined;
          const keys = [document, version, next[0]!, next[1]!];
          await this.apply(query, OF_THE_INDEX, [...keys, position]);
          return { next, count: await this.#count(query, INDEXED, [...keys, end]) };
        });
        last = piece?.next;
        indexed += piece?.count ?? 0;
      }
      return indexed;
    });
  }

  documents(last: string): Promise<void> {
    return this.#contained(async () => {
      for (let after: Value = LEAST; after !== null;) {
        const from: Value = after;
        after = await this.#piece(async (query) => {
          const [row] = await query(DOCUMENTS_PIECE_END, [from, last]);
          const [upTo] = row!;
          if (upTo) await this.apply(query, OF_DOCUMENTS, [from, upTo]);
          return upTo!;
        });
      }
    });
  }

  /** Rows with keys of a number and bytes. */
  pairs(pieceEnd: string, rules: readonly Rule[]): Promise<void> {
    return this.#contained(async () => {
      for (let last: readonly Value[] | undefined = [LEAST, '']; last !== undefined;) {
        const from: readonly Value[] = last;
        last = await this.#piece(async (query) => {
          const [upTo] = await query(pieceEnd, from);
          if (upTo) await this.apply(query, rules, [...from, ...upTo]);
          return upTo;
        });
      }
    });
  }

  /** Looks in one transaction. Undefined if damage has stopped it. */
  look<T>(run: (query: Query) => Promise<T>): Promise<T | undefined> {
    return this.#contained(() => this.#inTransaction(run));
  }

  #piece<T>(run: (query: Query) => Promise<T>): Promise<T> {
    return this.#inTransaction(async (query) => {
      await query(BY_INDEX);
      return run(query);
    });
  }

  async #count(query: Query, sql: string, parameters: readonly Value[]): Promise<number> {
    return whole((await query(sql, parameters))[0]?.[0], 'a number of attachments');
  }

  /** Damage that stops a statement is a finding too. Other errors say nothing about the log. */
  async #contained<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!hasCode(error, 'LogCorrupt')) throw error;
      this.tell([`PostgreSQL could not go on: ${String(error.details['cause'] ?? error.message)}.`]);
      return undefined;
    }
  }
}
