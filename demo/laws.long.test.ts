/** Controls: each law is broken on purpose, and the program must say so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { domain, open, type, type Store } from 'tidemark';
import { memory } from 'tidemark/memory';
import { sqlite } from 'tidemark/sqlite';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Left } from './evidence.ts';
import { judge, type Law } from './laws.ts';
import { Plan, type Request } from './plan.ts';
import { prove, type Proof } from './proof.ts';
import { race, type RaceResult } from './race.ts';
import { openServer, type Server } from './server.ts';
import { figures, marketplace } from './start.ts';

const directory = mkdtempSync(join(tmpdir(), 'marketplace-laws-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The same events and keys, but a command that sells whatever is asked for. */
async function sellWithoutRule(store: Store, service: string, buyer: string): Promise<void> {
  const lax = domain({ events: { SERVICE_BOUGHT: type<{ service_id: string; buyer_id: string; price: number }>() } });
  const sell = lax.command('SELL_WHATEVER', {
    input: type<{ service_id: string; buyer_id: string }>(),
    decide: (_, input) => ({ type: 'SERVICE_BOUGHT', ...input, price: 1 }),
  });
  await using app = await open({ store, collections: [], commands: [sell] });
  await app.execute(sell, { service_id: service, buyer_id: buyer });
}

const args = (file: string): string[] => ['--rounds', '6', '--seed', '4', '--store', `sqlite:${file}`, '--json'];
const broken = (laws: readonly Law[]): string[] => laws.filter(({ ok }) => !ok).map(({ name }) => name);

type Append = Awaited<ReturnType<Store['open']>>['append'];

/** A store that takes every batch, whatever its decisions rest on: what a race is there to find. */
function unchecked(store: Store): Store {
  return {
    name: 'unchecked',
    async open() {
      const session = await store.open();
      return new Proxy(session, {
        get(target, name) {
          if (name === 'append') {
            const append: Append = async (batch) => {
              const commits = batch.commits.map((commit) => Object.assign({}, commit, { reads: [] }));
              const appended = await target.append({ ...batch, reads: [], commits });
              const heads = batch.reads.map(({ version }) => version);
              return appended.status === 'stored' ? { ...appended, heads } : appended;
            };
            return append;
          }
          const member: unknown = Reflect.get(target, name);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      });
    },
  };
}

/** A service of the file's log, and who bought it. */
function saleOf(file: string): [service: string, buyer: string] {
  const database = new DatabaseSync(file, { readOnly: true });
  const { json } = database.prepare(`SELECT json FROM events WHERE json LIKE '%"buyer_id"%"price"%'`).get() as {
    json: string;
  };
  database.close();
  const { service_id, buyer_id } = JSON.parse(json) as { service_id: string; buyer_id: string };
  return [service_id, buyer_id];
}

/** Servers that wait for each other: whoever got the starting signal first is done before the next begins. */
function takingTurns(servers: readonly Server[], went: (conflicts: number) => void): Server[] {
  let last: Promise<unknown> = Promise.resolve();
  return servers.map((server) =>
    changed(server, {
      go() {
        const turn = last.then(() => server.go());
        last = turn.then(({ conflicts }) => went(conflicts));
        return turn;
      },
    }),
  );
}

/** Nobody who asks the second server is registered: it races, but can't win. */
function strangersOnly(servers: readonly Server[], buyers: number): Server[] {
  return servers.map((server, index) =>
    changed(server, {
      ready: (requests) =>
        server.ready(
          requests.flatMap((request): Request[] => {
            if (request.command !== 'BUY_SERVICE') return [request];
            const { buyer_id } = request.input;
            const home = Number(/buyer(\d+)/.exec(buyer_id)?.[1] ?? 0) > buyers * 2 ? 1 : 0;
            if (home !== index) return [];
            return home === 0 ? [request] : [{ ...request, input: { ...request.input, buyer_id: `${buyer_id}?` } }];
          }),
        ),
    }),
  );
}

function changed(server: Server, change: Partial<Server>): Server {
  return {
    name: server.name,
    ready: (requests) => server.ready(requests),
    go: () => server.go(),
    digests: (ids) => server.digests(ids),
    report: () => server.report(),
    close: () => server.close(),
    ...change,
  };
}

describe('on a file that was run before', () => {
  it('a log that was tampered with is found: exit code 1', async () => {
    const file = join(directory, 'tampered.db');
    expect((await marketplace(args(file))).code).toBe(0);
    const database = new DatabaseSync(file);
    const { changes } = database
      .prepare(
        `UPDATE events SET json = json_set(json, '$.price', 0)
         WHERE position = (SELECT min(position) FROM events WHERE json LIKE '%"price"%')`,
      )
      .run();
    database.close();
    expect(changes).toBe(1);
    const ended = await marketplace(args(file));
    expect(ended.code).toBe(1);
    expect(figures(ended)).toMatchObject({ ok: false, chain: false, oversold: 0, sold: 6 });
    expect(ended.stderr).toMatch(/✗ chain .*hash chain breaks at position \d+/);
  });

  it('a place that was sold twice is found: exit code 1', async () => {
    const file = join(directory, 'oversold.db');
    expect((await marketplace(args(file))).code).toBe(0);
    const [service, buyer] = saleOf(file);
    await sellWithoutRule(sqlite(file), service, buyer);
    const ended = await marketplace(args(file));
    expect(ended.code).toBe(1);
    expect(figures(ended)).toMatchObject({ ok: false, chain: true, oversold: 1, sold: 6 });
    expect(ended.stderr).toMatch(/✗ oversold 1 place sold beyond what there were/);
  });
});

describe('each law', () => {
  const asked = { rounds: 6, sales: 1 };
  let store: Store;
  let plan: Plan;
  let result: RaceResult;

  beforeEach(() => raceOn(memory()));

  async function raceOn(place: Store, rounds = 6, change = (servers: Server[]) => servers): Promise<void> {
    store = place;
    plan = new Plan({ rounds, buyers: 4, places: 1, servers: 2, seed: 4, run: '4' });
    const servers = change([await openServer('Paris', store), await openServer('Tokyo', store)]);
    const desk = await openServer('desk', store);
    result = await race(servers, desk, plan, new AbortController().signal, () => undefined);
    await Promise.all([...servers, desk].map((server) => server.close()));
  }

  const proof = (): Promise<Proof> => prove({ store, address: undefined }, plan, 1, new AbortController().signal);

  it('holds after a race', async () => {
    expect(broken(judge(asked, result, await proof()))).toEqual([]);
  });

  it('places and oversold: a store that does not refuse decisions on stale ground', async () => {
    await raceOn(unchecked(memory()));
    expect(broken(judge(asked, result, await proof()))).toEqual(expect.arrayContaining(['places', 'oversold', 'race']));
  });

  it('answers: an outcome that is not in the log, or is another there', async () => {
    result.answers.take('Paris', [{ id: 'x', reason: null, position: 9, sold: false, replayed: false, at: 0 }]);
    expect(broken(judge(asked, result, await proof()))).toEqual(['answers']);
  });

  it.each([{ events: 0 }, { position: 1_000_000 }, { server: 'Lima' }, { reason: 'ANOTHER' }])(
    'answers: the log has %j where something else was told',
    async (otherwise) => {
      const { evidence, ...rest } = await proof();
      const [[id, left]] = [...evidence.commands] as [[string, Left]];
      const commands = new Map(evidence.commands).set(id, { ...left, ...otherwise });
      expect(broken(judge(asked, result, { ...rest, evidence: { ...evidence, commands } }))).toEqual(['answers']);
    },
  );

  it('answers: a command that ended in an error', async () => {
    const [id, told] = [...result.answers.told].find(([, { reason }]) => reason === 'SOLD_OUT')!;
    const { evidence, ...rest } = await proof();
    const commands = new Map(evidence.commands).set(id, { ...evidence.commands.get(id)!, reason: 'ERROR' });
    Object.assign(told, { reason: 'ERROR' });
    expect(broken(judge(asked, result, { ...rest, evidence: { ...evidence, commands } }))).toEqual(['answers']);
  });

  it('answers: an outcome in the log that nobody was told', async () => {
    const { evidence, ...rest } = await proof();
    const commands = new Map(evidence.commands).set('4.y', { events: 1, position: 99, server: 'Paris', reason: null });
    expect(broken(judge(asked, result, { ...rest, evidence: { ...evidence, commands } }))).toEqual(['answers']);
  });

  it('resent: a command that was executed twice', async () => {
    const [id, { reason, position, sold, server }] = [...result.answers.told].find(([, told]) => told.reason !== null)!;
    result.answers.take(server!, [{ id, reason, position, sold, replayed: false, at: 0 }]);
    expect(broken(judge(asked, result, await proof()))).toEqual(['resent']);
  });

  it('resent: a command that was answered otherwise the second time', async () => {
    const [id, { reason, position, sold, server }] = [...result.answers.told][0]!;
    result.answers.take(server!, [{ id, reason, position: position + 1, sold, replayed: true, at: 0 }]);
    expect(broken(judge(asked, result, await proof()))).toEqual(['resent']);
  });

  it('places and oversold: a sale by code without the rule', async () => {
    await sellWithoutRule(store, `${plan.prefix}service3`, `${plan.prefix}buyer1`);
    const laws = judge(asked, result, await proof());
    expect(broken(laws)).toEqual(['places', 'oversold', 'rebuilt']);
    expect(laws.find(({ name }) => name === 'places')!.found).toBe(`${plan.prefix}service3 was sold 2 times, not 1`);
  });

  it('oversold: a sale of what was never offered', async () => {
    await sellWithoutRule(store, 'thin air', 'a stranger');
    expect(broken(judge(asked, result, await proof()))).toEqual(['oversold']);
  });

  it('winners: a server that claims a win that the log gives to another', async () => {
    const { evidence, ...rest } = await proof();
    const wins = new Map([...evidence.wins].map(([server, count]) => [server, count + 1]));
    expect(broken(judge(asked, result, { ...rest, evidence: { ...evidence, wins } }))).toEqual(['winners']);
  });

  it('rebuilt: a server that holds another document', async () => {
    const [first, second] = result.digests;
    const other = { ...second!, digests: ['another', ...second!.digests.slice(1)] };
    expect(broken(judge(asked, { ...result, digests: [first!, other] }, await proof()))).toEqual(['rebuilt']);
  });

  it('stored: a document that queries find otherwise, or not at all', async () => {
    const { stored, ...rest } = await proof();
    for (const one of ['another', undefined])
      expect(broken(judge(asked, result, { ...rest, stored: [one, ...stored.slice(1)] }))).toEqual(['stored']);
  });

  it('race: servers that strictly take turns, whatever conflicts they meet in caches that are out of date', async () => {
    let conflicts = 0;
    await raceOn(memory(), 6, (servers) => takingTurns(servers, (met) => (conflicts += met)));
    expect(conflicts).toBeGreaterThan(0);
    expect(result.meetings).toMatchObject({ rounds: 0, conflicts: 0 });
    const laws = judge(asked, result, await proof());
    expect(broken(laws)).toEqual(['race']);
    expect(laws.at(-1)!.found).toBe('no two servers were ever at work at once: this was no race');
  });

  it('race: a server that never wins, though there were rounds enough', async () => {
    await raceOn(memory(), 100, (servers) => strangersOnly(servers, 4));
    expect(result.meetings.conflicts).toBeGreaterThan(0);
    const laws = judge({ rounds: 100, sales: 1 }, result, await proof());
    expect(broken(laws)).toEqual(['race']);
    expect(laws.at(-1)!.found).toBe('Tokyo never won in 100 rounds: this was no race');
    expect(broken(judge({ rounds: 99, sales: 1 }, result, await proof()))).toEqual([]);
  });

  it('lesson 25: race: servers at work at once that never met in a conflict', async () => {
    // A store without a check never refuses: only the race itself is judged here.
    await raceOn(unchecked(memory()));
    expect(result.meetings.rounds).toBeGreaterThan(0);
    const laws = judge(asked, result, await proof());
    expect(laws.at(-1)!.found).toBe('the servers never met in a conflict: this was no race');
  });
});
