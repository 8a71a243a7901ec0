/** More server processes on one log: commands, CPU time, tries and fairness, beside one process. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { open } from 'tidemark';
import { initialised, launch } from '../../scripts/postgres-server.ts';
import { Proxy } from '../../test/support/proxy.ts';
import type { Bench, Figure } from '../bench.ts';
import { chart, type Group } from '../chart.ts';
import { cpuOf } from '../cpu.ts';
import { LIMITS } from '../limits.ts';
import { storeAt, type Did, type Duty, type StoreName, type Home, type LogAddress } from '../server-process.ts';
import { createService, median, parts, percentile } from '../workload.ts';

const PROCESSES = [1, 2, 4, 8];
const CALLERS = 64;
const FEW = 5_000;
const MANY = 100_000;
/** Commands a second in all, where callers don't ask as fast as they can. */
const PACE = 1_000;
/** How much later a database answers that is elsewhere, in milliseconds. */
const AWAY_MS = 2;
/**
 * Commands after which a process runs as fast as it will, and how long that may take, in milliseconds. Each compiles its own
 * code: where four share the work of one, that would be four times as much of it.
 */
const WARM_COMMANDS = 15_000;
const WARM_STINT_MS = 2_000;
const WARM_STINTS_MAX = 15;
/** Before each run, until all processes are busy. */
const BEGIN_MS = 500;
const ROUNDS = 3;
const PROCESS = join(import.meta.dirname, '../server-process.ts');

/** What is done by how many processes. */
interface Kind {
  readonly name: string;
  readonly services: number;
  /** Whether each process has all callers, or a part of them. */
  readonly each: boolean;
  readonly paced?: boolean;
  /** Where the log is: here, with so many documents, unless said otherwise. */
  readonly where?: Where;
  readonly processes: readonly number[];
}

/** `own`: each process has a log of its own, so that they share the machine and nothing else. */
type Where = 'few' | 'many' | 'away' | 'own';

const EACH = '64 callers each';
const IN_ALL = '64 callers in all';
const PACED = `${PACE} commands/s in all`;
const AWAY = `64 callers each, ${AWAY_MS} ms away`;
const OWN = '64 callers each, a log for each process';

const KINDS: readonly Kind[] = [
  { name: EACH, services: FEW, each: true, processes: PROCESSES },
  { name: OWN, services: FEW, each: true, where: 'own', processes: [4] },
  { name: IN_ALL, services: FEW, each: false, processes: PROCESSES },
  { name: '64 callers each, 100,000 documents', services: MANY, each: true, where: 'many', processes: [1, 4] },
  { name: '64 callers each, one document', services: 1, each: true, processes: PROCESSES },
  { name: PACED, services: FEW, each: false, paced: true, processes: [1, 4] },
  { name: AWAY, services: FEW, each: true, where: 'away', processes: [1, 2, 4] },
];

interface Run {
  readonly rate: number;
  /** Microseconds a command, of the server processes and of the database's. */
  readonly cpu: number;
  readonly databaseCpu: number;
  readonly tries: number;
  /** Takings of the lock, a thousand commands. */
  readonly exclusive: number;
  readonly p99: number;
  /** The slowest process's commands, of the even share. */
  readonly slowest: number;
  readonly errors: number;
}

/** Where the logs of a store are. */
interface Site {
  readonly storeName: StoreName;
  /** For a process, by its number, of so many; undefined where nothing is away. */
  readonly place: (where: Where, count: number, process: number) => LogAddress | undefined;
  readonly databaseCpu: () => number;
}

export async function servers({ fresh, ms, rounds, quick, svg }: Bench): Promise<Figure[]> {
  const server = await launch(initialised(), { max_connections: '400' }, {});
  const proxy = await Proxy.to(server.port);
  proxy.delayMs = AWAY_MS;
  const folder = fresh();
  const sites: Site[] = [
    {
      storeName: 'PostgreSQL',
      place: (where, count, process) => ({
        at: where === 'away' ? server.url.replace(`:${server.port}/`, `:${proxy.port}/`) : server.url,
        schema: logName(where, count, process),
      }),
      databaseCpu: () => cpuOf(server.pid),
    },
    {
      storeName: 'SQLite',
      place: (where, count, process) =>
        where === 'away' ? undefined : { at: `${folder}-${logName(where, count, process)}` },
      databaseCpu: () => 0,
    },
  ];
  try {
    const figures: Figure[] = [];
    const groups: Group[] = [];
    for (const site of sites) {
      const runs = await measured(site, { ms, rounds: Math.min(rounds, ROUNDS), quick });
      console.error(shown(site.storeName, runs));
      figures.push(...judged(site.storeName, runs));
      groups.push(...drawn(site.storeName, runs));
    }
    if (svg)
      writeFileSync(svg, chart(TITLE, `${cpus().length} cores for callers, servers and database together`, groups));
    return figures;
  } finally {
    await proxy.close();
    await server.end();
  }
}

/** A log's name; of those whose documents are the same number it says how many processes are at it. */
function logName(where: Where, count: number, process: number): string {
  return where === 'own' ? `own${process}` : `${where}${count}`;
}

async function seed(storeName: StoreName, place: LogAddress, services: number): Promise<void> {
  await using app = await open({ store: storeAt(storeName, place), ...parts, reduction: 'off' });
  let next = 0;
  await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      for (let n = next++; n < services; n = next++)
        await app.execute(createService, { service_id: `service-${n}`, seller_id: 'seller', price: 5, quantity: 1e9 });
    }),
  );
}

type Runs = ReadonlyMap<Kind, ReadonlyMap<number, readonly Run[]>>;

/**
 * Server processes on the same log, or on one each, that are told what to do. Each number of them has a log of its own: where
 * some of them rest while others go on, what is measured next is how they catch up.
 */
class Crew {
  readonly #children: readonly ChildProcess[];
  readonly #services: number;

  private constructor(children: readonly ChildProcess[], services: number) {
    this.#children = children;
    this.#services = services;
  }

  static async at({ storeName, place }: Site, where: Where, count: number): Promise<Crew> {
    const services = where === 'many' ? MANY : FEW;
    const places = Array.from({ length: count }, (_, process) => place(where, count, process)!);
    const seeded = new Set<string>();
    for (const one of places) {
      const name = JSON.stringify(one);
      if (!seeded.has(name)) await seed(storeName, one, services);
      seeded.add(name);
    }
    const children = places.map((one) => {
      const home: Home = { storeName, place: one, services };
      return fork(PROCESS, [JSON.stringify(home)], { execArgv: process.execArgv });
    });
    await Promise.all(children.map(said));
    return new Crew(children, services);
  }

  /** All of them do the same at once. */
  async work(work: Pick<Duty, 'callers' | 'everyMs' | 'ms'> & { services?: number }): Promise<Did[]> {
    const answers = Promise.all(this.#children.map(said));
    for (const child of this.#children) {
      child.send({ services: this.#services, warmMs: BEGIN_MS, ...work } satisfies Duty);
    }
    return (await answers) as Did[];
  }

  async warm(): Promise<void> {
    let commands = 0;
    for (let n = 0; n < WARM_STINTS_MAX && commands < WARM_COMMANDS; n += 1) {
      const all = await this.work({ callers: CALLERS, everyMs: 0, ms: WARM_STINT_MS });
      commands += Math.min(...all.map((did) => did.commands));
    }
  }

  async end(): Promise<void> {
    for (const child of this.#children) if (child.connected) child.disconnect();
    await Promise.all(this.#children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)));
  }
}

/** In turns, so that the machine's moods fall on all alike. */
async function measured(site: Site, { ms, rounds, quick }: Pick<Bench, 'ms' | 'rounds' | 'quick'>): Promise<Runs> {
  const kinds = KINDS.filter(({ where = 'few' }) => site.place(where, 1, 0));
  const runs = new Map(kinds.map((kind) => [kind, new Map(kind.processes.map((count) => [count, [] as Run[]]))]));
  const crews = new Map<string, Crew>();
  try {
    for (const { where = 'few', processes } of kinds) {
      for (const count of processes) {
        if (crews.has(`${where}${count}`)) continue;
        const crew = await Crew.at(site, where, count);
        crews.set(`${where}${count}`, crew);
        if (!quick) await crew.warm();
      }
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of kinds) {
        for (const count of kind.processes) {
          const crew = crews.get(`${kind.where ?? 'few'}${count}`)!;
          runs
            .get(kind)!
            .get(count)!
            .push(await together(site, crew, kind, count, ms));
        }
      }
    }
  } finally {
    for (const crew of crews.values()) await crew.end();
  }
  return runs;
}

const said = async (child: ChildProcess): Promise<unknown> => {
  const ended = new AbortController();
  const exit = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('A server process ended early.');
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: ended.signal }), exit])) as [unknown];
    return message;
  } finally {
    ended.abort();
    await exit.catch(() => undefined);
  }
};

async function together(
  { databaseCpu }: Site,
  crew: Crew,
  { each, paced, services }: Kind,
  count: number,
  ms: number,
): Promise<Run> {
  const callers = each ? CALLERS : CALLERS / count;
  const everyMs = paced ? (CALLERS * 1_000) / PACE : 0;
  const answers = crew.work({ callers, everyMs, ms, ...(services === 1 && { services }) });
  await sleep(BEGIN_MS);
  const before = databaseCpu();
  await sleep(ms);
  const databaseMs = databaseCpu() - before;
  const all = await answers;
  const sum = (of: (did: Did) => number): number => all.reduce((total, did) => total + of(did), 0);
  const commands = sum((did) => did.commands);
  return {
    rate: (commands * 1_000) / ms,
    cpu: (sum((did) => did.cpuMs) * 1_000) / commands,
    databaseCpu: (databaseMs * 1_000) / commands,
    tries: 1 + sum((did) => did.retried) / commands,
    exclusive: (sum((did) => did.exclusive) * 1_000) / commands,
    p99: percentile(
      all.flatMap(({ latencies }) => latencies),
      0.99,
    ),
    slowest: (Math.min(...all.map((did) => did.commands)) * all.length) / commands,
    errors: sum((did) => did.errors),
  };
}

const whole = ({ cpu, databaseCpu }: Run): number => cpu + databaseCpu;
const rate = ({ rate: made }: Run): number => made;
const digits = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 3 });

function shown(storeName: StoreName, runs: Runs): string {
  const rows = new Table({
    head: [
      storeName,
      'processes',
      'commands/s',
      'CPU µs a command',
      'of it database',
      'tries',
      'locks ‰',
      'p99 ms',
      'slowest',
      'errors',
    ],
    style: { head: [], border: [] },
    colAligns: ['left', ...Array.from({ length: 9 }, () => 'right' as const)],
  });
  for (const [{ name }, byCount] of runs) {
    for (const [count, made] of byCount) {
      const middle = (of: (run: Run) => number): string => digits(median(made.map(of)));
      rows.push([
        name,
        count,
        middle(({ rate }) => rate),
        middle(whole),
        middle(({ databaseCpu }) => databaseCpu),
        middle(({ tries }) => tries),
        middle(({ exclusive }) => exclusive),
        middle(({ p99 }) => p99),
        middle(({ slowest }) => slowest),
        made.reduce((total, { errors }) => total + errors, 0),
      ]);
    }
  }
  return rows.toString();
}

const TITLE = 'More server processes on one log: durable commands a second, and what a command costs';

/** Commands a second and CPU time, for whoever reads nothing else. */
function drawn(storeName: StoreName, runs: Runs): Group[] {
  const bars = (name: string, value: (run: Run) => number): Group['bars'] => {
    const kind = [...runs.keys()].find((one) => one.name === name)!;
    return [...runs.get(kind)!].map(([count, made]) => {
      const callers = kind.each ? `${CALLERS} callers each` : `${CALLERS} callers in all`;
      return {
        label: count === 1 ? `one server process, ${CALLERS} callers` : `${count} server processes, ${callers}`,
        value: median(made.map(value)),
        isOurs: true,
      };
    });
  };
  return [
    { title: `${storeName}: commands a second`, bars: bars(EACH, ({ rate }) => rate) },
    { title: `${storeName}: commands a second, the callers shared out`, bars: bars(IN_ALL, ({ rate }) => rate) },
    {
      title: `${storeName}: CPU time a command, servers and database together, in microseconds`,
      bars: bars(EACH, whole),
    },
  ];
}

/** Ratios are taken within a round. */
function judged(storeName: StoreName, runs: Runs): Figure[] {
  const of = (name: string, count: number): readonly Run[] => {
    const kind = [...runs.keys()].find((one) => one.name === name)!;
    return runs.get(kind)!.get(count)!;
  };
  const beside = (name: string, count: number, value: (run: Run) => number, one = name): number => {
    const single = of(one, 1);
    return median(of(name, count).map((run, round) => value(run) / value(single[round]!)));
  };
  const worst = (count: number, value: (run: Run) => number): number => median(of(EACH, count).map(value));
  const figures: Figure[] = [
    { name: 'one process: commands/s', ours: median(of(EACH, 1).map(rate)) },
    { name: 'four processes: CPU time a command, of one', ratio: beside(EACH, 4, whole), atMost: LIMITS.servers.cpu },
    {
      name: 'four processes: CPU time a command, of four with a log each',
      ratio: median(of(EACH, 4).map((run, round) => whole(run) / whole(of(OWN, 4)[round]!))),
    },
    { name: 'four processes with a log each: CPU time a command, of one', ratio: beside(OWN, 4, whole, EACH) },
    { name: 'two processes: commands/s, of one', ratio: beside(EACH, 2, rate), atLeast: LIMITS.servers.each },
    { name: 'four processes: commands/s, of one', ratio: beside(EACH, 4, rate), atLeast: LIMITS.servers.each },
    { name: 'eight processes: commands/s, of one', ratio: beside(EACH, 8, rate) },
    { name: '64 callers over four: commands/s, of one', ratio: beside(IN_ALL, 4, rate), atLeast: LIMITS.servers.inAll },
    { name: 'four processes: tries a command', ours: worst(4, ({ tries }) => tries), atMost: LIMITS.servers.tries },
    {
      name: 'four processes: the slowest, of an even share',
      ours: worst(4, ({ slowest }) => slowest),
      atLeast: LIMITS.servers.slowest,
    },
    {
      name: 'four processes: locks taken, a thousand commands',
      ours: worst(4, ({ exclusive }) => exclusive),
      atMost: LIMITS.servers.exclusive,
    },
    {
      name: 'four processes: p99 at one pace, of one',
      ratio: beside(PACED, 4, ({ p99 }) => p99),
      atMost: LIMITS.servers.p99,
    },
  ];
  if ([...runs.keys()].some(({ name }) => name === AWAY)) {
    figures.push(
      {
        name: 'away, two processes: commands/s, of one',
        ratio: beside(AWAY, 2, rate),
        atLeast: LIMITS.servers.awayTwo,
      },
      {
        name: 'away, four processes: commands/s, of one',
        ratio: beside(AWAY, 4, rate),
        atLeast: LIMITS.servers.awayFour,
      },
    );
  }
  return figures.map((figure) => Object.assign({}, figure, { name: `${storeName}, ${figure.name}` }));
}
