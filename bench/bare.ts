/**
 * The bare loop: what SQLite gives if one knows beforehand what to write. It inserts the rows that Tidemark would (log,
 * ledger, attachments, chain) into the same tables, by prepared statements of several rows, in transactions of the same
 * size and durability. It validates, decides, folds and hashes nothing.
 */
import { randomBytes } from 'node:crypto';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { BUYERS, SERVICES } from './workload.ts';

const ROWS = 32;

interface Insert {
  readonly columns: number;
  readonly many: StatementSync;
  readonly one: StatementSync;
}

export class BareLoop {
  readonly #database: DatabaseSync;
  readonly #heads = new Map<number, number>();
  readonly #services: readonly number[];
  readonly #buyers: readonly number[];
  readonly #commits: Insert;
  readonly #events: Insert;
  readonly #attachments: Insert;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #digests = Array.from({ length: 1_024 }, () => randomBytes(32));
  readonly #command: number;
  readonly #type: number;
  #position: number;
  #n = 0;

  /** On a file that a marketplace was opened on, and in which every service exists, and so many buyers or more. */
  constructor(file: string, buyers = BUYERS) {
    const database = new DatabaseSync(file);
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768',
    );
    this.#database = database;
    const insert = (target: string, columns: number): Insert => {
      const row = `(${Array(columns).fill('?').join(',')})`;
      return {
        columns,
        many: database.prepare(`INSERT INTO ${target} VALUES ${Array(ROWS).fill(row).join(',')}`),
        one: database.prepare(`INSERT INTO ${target} VALUES ${row}`),
      };
    };
    this.#commits = insert('commits', 15);
    this.#events = insert('events', 6);
    this.#attachments = insert('attachments', 4);
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    const numberOf = (name: string): number =>
      Number(database.prepare('SELECT number FROM names WHERE name = ?').get(name)?.['number']);
    this.#command = numberOf('BUY_SERVICE');
    this.#type = numberOf('SERVICE_BOUGHT');
    const numbersOf = (pattern: string): number[] =>
      database
        .prepare('SELECT number FROM documents WHERE id LIKE ? ORDER BY number')
        .all(pattern)
        .map((row) => Number(row['number']));
    this.#services = numbersOf('service-%');
    this.#buyers = numbersOf('buyer-%');
    if (this.#services.length !== SERVICES || this.#buyers.length < buyers)
      throw new Error('Not every service and buyer exists.');
    for (const row of database
      .prepare('SELECT document, max(version) AS head FROM attachments GROUP BY document')
      .all()) {
      this.#heads.set(Number(row['document']), Number(row['head']));
    }
    this.#position = Number(database.prepare('SELECT max(position) AS last FROM events').get()?.['last']);
  }

  /** The last position written. */
  get position(): number {
    return this.#position;
  }

  /** Writes one group in one durable transaction. */
  write(group: number): void {
    const commits: SQLInputValue[] = [];
    const events: SQLInputValue[] = [];
    const attachments: SQLInputValue[] = [];
    const now = Date.now();
    for (let left = group; left > 0; left -= 1) {
      this.#n += 1;
      this.#position += 1;
      const n = this.#n;
      const id = `${now.toString(16).padStart(12, '0')}-7000-8000-${n.toString(16).padStart(17, '0')}`;
      const service = this.#services[(n * 7_919) % SERVICES]!;
      const buyer = this.#buyers[(n * 7_907) % this.#buyers.length]!;
      const serviceHead = this.#head(service);
      const buyerHead = this.#head(buyer);
      const digest = this.#digests[n % 1_024]!;
      commits.push(this.#position, 1, id, 0, this.#command, digest, null, null, null, 0, null, null, now, now, digest);
      events.push(
        this.#position,
        this.#type,
        1,
        now,
        `[${service},${serviceHead},${buyer},${buyerHead}]`,
        `{"service_id":"service-${n % SERVICES}","buyer_id":"buyer-${n % this.#buyers.length}","price":5}`,
      );
      attachments.push(service, serviceHead, this.#position, this.#type, buyer, buyerHead, this.#position, this.#type);
    }
    this.#begin.run();
    run(this.#commits, commits);
    run(this.#events, events);
    run(this.#attachments, attachments);
    this.#commit.run();
  }

  /** Writes groups until the time is over. */
  writeFor(group: number, ms: number): { commands: number; seconds: number; latencies: number[] } {
    const latencies: number[] = [];
    const started = performance.now();
    for (let before = started; before < started + ms;) {
      this.write(group);
      const now = performance.now();
      latencies.push(now - before);
      before = now;
    }
    return { commands: latencies.length * group, seconds: (performance.now() - started) / 1_000, latencies };
  }

  close(): void {
    this.#database.close();
  }

  #head(document: number): number {
    const head = (this.#heads.get(document) ?? 0) + 1;
    this.#heads.set(document, head);
    return head;
  }
}

function run({ columns, many, one }: Insert, values: readonly SQLInputValue[]): void {
  let from = 0;
  for (; from + ROWS * columns <= values.length; from += ROWS * columns)
    many.run(...values.slice(from, from + ROWS * columns));
  for (; from < values.length; from += columns) one.run(...values.slice(from, from + columns));
}
