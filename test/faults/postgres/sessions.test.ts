/**
 * Random batches of several sessions on one log, each compared with what the model answers. Answers get lost, requests
 * arrive late, sections are rolled back, and an older copy takes the place of the log.
 *
 * TIDEMARK_RUNS sets how many logs there are (1, or 3 in the run of all tests), TIDEMARK_SEED repeats one.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgres } from 'tidemark/postgres';
import { afterAll, test, vi } from 'vitest';
import type * as Recent from '../../../src/recent.ts';
import type { Appended, Batch, Registry, Session } from '../../../src/store/store.ts';
import { at, commit, handling, order, range, service, START, user } from '../../../src/testing/conformance/batches.ts';
import { everything, TestLog } from '../../../src/testing/conformance/log.ts';
import { Model } from '../../../src/testing/conformance/model.ts';
import { same } from '../../../src/testing/conformance/plain.ts';
import { Chance } from '../../../src/testing/conformance/random.ts';
import { testDatabase } from '../../support/postgres.ts';
import { Proxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { setting } from '../../support/setting.ts';

const RUNS = setting('TIDEMARK_RUNS', 1, 3);
const STEPS = setting('TIDEMARK_STEPS', 40, 80);
const SESSIONS = 3;
const TIMEOUT_MS = 120_000;

// A session remembers fewer documents than there are.
vi.mock('../../../src/recent.ts', async (original) => {
  const recent = await original<typeof Recent>();
  class Few<Value> extends recent.RecentDocuments<Value> {
    constructor() {
      super(30);
    }
  }
  return { ...recent, RecentDocuments: Few };
});

// Collections, types and commands have names in common, and documents of several collections have ids in common.
const TYPES = ['CREATED', 'BOUGHT', 'REGISTERED', 'NOTED', 'users'];
const COMMANDS = ['DO_IT', 'users', 'BOUGHT'];
const DOCUMENTS = [...'abcdefg'].flatMap((id) => [user(id), service(id), order(id)]);
const RELEASES = [
  handling({ users: ['REGISTERED'], services: ['CREATED', 'BOUGHT'] }),
  handling({ users: ['REGISTERED', 'BOUGHT'], services: ['CREATED', 'BOUGHT', 'NOTED'], orders: [] }),
];
const TABLES = ['commits', 'events', 'types', 'attachments', 'documents', 'names'];

const database = testDatabase();
const met: Record<string, number> = {};
const meet = (what: string): number => (met[what] = (met[what] ?? 0) + 1);
afterAll(() => void process.stdout.write(`sessions: ${JSON.stringify(met)}\n`));

/** Neither stale documents nor duplicates are answered in an order that the contract gives. */
function inOrder(answer: Appended): Appended {
  if (answer.status !== 'stored' && answer.status !== 'refused') return answer;
  const stale = answer.stale.toSorted((a, b) => (`${a.collection} ${a.id}` < `${b.collection} ${b.id}` ? -1 : 1));
  return { ...answer, stale, duplicates: answer.duplicates.toSorted() };
}

/** What an append throws whose answer was lost. */
function inDoubt(sent: Promise<unknown>): Promise<void> {
  return assert.rejects(sent, (error: { details?: { unknown?: boolean } }) => error.details?.unknown === true);
}

/** The model's: so that times and hashes can be compared. */
const clock = (): number => START;

interface Writer {
  readonly session: Session;
  readonly proxy: Proxy;
}

class World {
  readonly chance: Chance;
  readonly #schema: string;
  readonly #log: TestLog;
  readonly #writers: readonly Writer[];
  readonly #registry: Registry;
  #model: Model;
  /** What the model was made of. */
  #stored: Batch[] = [];
  #sent = 0;
  /** How many of those an older copy has. */
  #copied: number | undefined;

  private constructor(chance: Chance, schema: string, log: TestLog, registry: Registry, writers: readonly Writer[]) {
    this.chance = chance;
    this.#schema = schema;
    this.#log = log;
    this.#writers = writers;
    this.#registry = registry;
    this.#model = new Model(registry);
  }

  static async make(chance: Chance, schema: string): Promise<World> {
    const log = await TestLog.on(postgres(database.url, { schema, clock }));
    const writers = range(1, SESSIONS).map(async () => {
      const proxy = await Proxy.to(Number(new URL(database.url).port));
      const url = Object.assign(new URL(database.url), { hostname: '127.0.0.1', port: String(proxy.port) });
      return { proxy, session: await postgres(url.href, { schema, clock, connections: 2 }).open() };
    });
    return new World(chance, schema, log, await log.session.registry(), await Promise.all(writers));
  }

  async end(): Promise<void> {
    await Promise.all([this.#log.close(), ...this.#writers.map(({ session }) => session.close())]);
    await Promise.all(this.#writers.map(({ proxy }) => proxy.close()));
  }

  /** Everybody reads what the model has. */
  async check(): Promise<void> {
    const { events, commits } = this.#model;
    const expected = { events, commits, types: this.#model.types(), documents: this.#model.documents() };
    for (const session of [this.#log.session, ...this.#writers.map((writer) => writer.session)]) {
      const { events, commits, types, documents } = await everything(session);
      same({ events, commits, types, documents }, expected);
    }
    same(await this.#log.session.check(), []);
  }

  async step(): Promise<void> {
    const dice = this.chance.below(24);
    const writer = this.#anybody();
    if (dice < 10) return this.#inTurn(writer);
    if (dice < 12) return this.#together(() => writer);
    if (dice < 14) return this.#together(() => this.#anybody());
    if (dice < 17) return this.#section(writer);
    if (dice < 19) return this.#answerLost(writer);
    if (dice < 21) return this.#late(writer);
    return this.#copied === undefined ? this.#copy() : this.#putBack();
  }

  #anybody(): Writer {
    return this.chance.pick(this.#writers);
  }

  #batch(): Batch {
    const { chance } = this;
    const model = this.#model;
    const sent = (this.#sent += 1);
    const documents = chance.some(chance.some(DOCUMENTS));
    const { position, hash } = chance.pick([model.end, ...model.ends]);
    const reads = (chance.once(3) ? [] : chance.some(documents)).map((ref) => {
      return at(ref, Math.max(0, model.of(ref).length - (chance.once(12) ? chance.below(3) : 0)));
    });
    // Now and then an id is sent again, and now and then a batch is long.
    const ids = range(0, chance.below(chance.once(10) ? 20 : 3)).map(
      (n) => `c${chance.once(25) ? chance.below(sent + 1) : sent}-${n}`,
    );
    const commits = ids.map((id) => {
      const outcome = chance.once(3) ? 'failed' : 'succeeded';
      const events = range(0, chance.below(3)).map(() => {
        return { type: chance.pick(TYPES), schemaVersion: 1, json: '{}', attachments: chance.some(documents) };
      });
      const final = outcome === 'succeeded' || chance.once(2);
      const rests = range(0, reads.length - 1).filter(() => chance.once(2));
      return commit(id, events, { outcome, final, time: START + sent, name: chance.pick(COMMANDS), reads: rests });
    });
    return {
      seen: { position, hash },
      generation: this.#log.generation,
      handled: chance.pick(RELEASES),
      reads,
      commits,
    };
  }

  #apply(batch: Batch): Appended {
    const answer = this.#model.append(batch);
    if (answer.status === 'stored') this.#stored.push(batch);
    return inOrder(answer);
  }

  /** The model as it was after so many of its batches. */
  #back(length: number): void {
    this.#stored.length = length;
    this.#model = new Model(this.#registry);
    for (const batch of this.#stored) this.#model.append(batch);
  }

  async #inTurn({ session }: Writer): Promise<void> {
    for (const batch of range(0, this.chance.below(4)).map(() => this.#batch())) {
      const expected = this.#apply(batch);
      same(inOrder(await session.append(batch)), expected);
      meet(expected.status);
    }
  }

  /** In which order they are stored is known only afterwards. */
  async #together(who: () => Writer): Promise<void> {
    const sent = range(1, 2 + this.chance.below(4)).map(async () => {
      const batch = this.#batch();
      const answer = await who().session.append(batch);
      if (answer.status !== 'stored' && answer.status !== 'refused') throw new Error(`it was ${answer.status}`);
      const stored = answer.status === 'stored';
      const kept = stored ? batch.commits.filter((_, index) => answer.commits[index]) : [];
      const events = kept.flatMap((one) => one.events).length;
      return { batch, answer, before: answer.end.position - events, stored };
    });
    const answers = await Promise.all(sent);
    answers.sort((a, b) => a.before - b.before || Number(a.stored) - Number(b.stored));
    for (const { batch, answer } of answers) same(inOrder(answer), this.#apply(batch));
    meet('together');
  }

  async #section({ session }: Writer): Promise<void> {
    const before = this.#stored.length;
    const undone = this.chance.once(2);
    const work = session.exclusive(async (locked) => {
      for (const batch of range(0, this.chance.below(3)).map(() => this.#batch())) {
        same(inOrder(await locked.append(batch)), this.#apply(batch));
      }
      if (undone) throw new Error('undone');
    });
    if (!undone) await work;
    else await assert.rejects(work, /undone/);
    if (undone) this.#back(before);
    meet(undone ? 'undone' : 'section');
  }

  async #answerLost({ session, proxy }: Writer): Promise<void> {
    const batch = this.#batch();
    let [found, lost] = [false, false];
    proxy.swallow = (bytes) => {
      found ||= bytes.includes('stored') || bytes.includes('refused');
      // It is committed when the server says that it is ready again.
      lost ||= found && bytes.toString('latin1', 0, 1) === 'Z';
      return found;
    };
    const sent = inDoubt(session.append(batch));
    await until(() => lost);
    proxy.cut();
    proxy.swallow = () => false;
    await sent;
    this.#apply(batch);
    meet('answer lost');
    if (this.chance.once(2)) await session.ledger(['none']);
  }

  async #late({ session, proxy }: Writer): Promise<void> {
    const batch = this.#batch();
    const other = this.chance.pick(this.#writers.filter((writer) => writer.proxy !== proxy));
    proxy.hold = (bytes) => bytes.includes('append_v1');
    const sent = inDoubt(session.append(batch));
    await until(() => proxy.holding);
    proxy.hold = () => false;
    proxy.cut();
    await sent;
    const fenced = this.chance.once(3);
    if (fenced) await session.ledger(['none']);
    await this.#inTurn(other);
    proxy.release();
    await this.#arrived();
    const end = await this.#end();
    const stored = end !== this.#model.end.position;
    if (stored) this.#apply(batch);
    assert(!(stored && fenced), 'the ledger had said that it isn’t stored');
    same(end, this.#model.end.position);
    meet(stored ? 'late' : fenced ? 'fenced off' : 'late, refused');
  }

  /** Until no backend of the writers' is left that runs anything. */
  #arrived(): Promise<void> {
    return until(async () => {
      await sleep(10);
      const busy = await database.run(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%append_v1%'
          AND pid <> pg_backend_pid()`,
      );
      return busy.length === 0;
    });
  }

  async #end(): Promise<number> {
    return (await this.#log.session.load([])).end.position;
  }

  async #copy(): Promise<void> {
    const copies = TABLES.map(
      (table) => `CREATE TABLE copy_${this.#schema}.${table} AS TABLE ${this.#schema}.${table}`,
    );
    await database.run(`DROP SCHEMA IF EXISTS copy_${this.#schema} CASCADE; CREATE SCHEMA copy_${this.#schema};
      ${copies.join('; ')}`);
    this.#copied = this.#stored.length;
  }

  /** In place of the log, for sessions that have seen more of it. */
  async #putBack(): Promise<void> {
    const tables = TABLES.map(
      (table) => `TRUNCATE ${this.#schema}.${table};
      INSERT INTO ${this.#schema}.${table} SELECT * FROM copy_${this.#schema}.${table}`,
    );
    await database.run(`BEGIN; ${tables.join('; ')}; COMMIT`);
    this.#back(this.#copied!);
    this.#copied = undefined;
    meet('put back');
  }
}

test.each(range(1, RUNS))(
  'laws 1 to 5, lesson 22: whatever becomes of answers, sections and the log, each batch is answered as by the model (%i)',
  async (run) => {
    const chance = Chance.fromEnvironment();
    const world = await World.make(chance, `sessions_${run}`);
    try {
      for (let step = 1; step <= STEPS; step += 1) {
        await world.step();
        if (step % 20 === 0) await world.check();
      }
    } catch (error) {
      throw new Error(`TIDEMARK_SEED=${chance.seed} repeats this`, { cause: error });
    } finally {
      await world.end();
    }
  },
  TIMEOUT_MS,
);
