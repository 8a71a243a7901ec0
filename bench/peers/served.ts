/** A system behind one or more server processes, and the callers shared out among them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../workload.ts';
import type { Trial, Case, Contestant, Run, Sizes } from './contestant.ts';
import type { Done } from './peer.ts';
import { Server } from './server.ts';

interface Served {
  readonly name: string;
  readonly adapter: string;
  readonly database: Contestant['database'];
  readonly processes?: number;
  readonly takes: (asked: Case) => boolean;
  /** Its database's URL, or its file. */
  readonly place: string;
  /** Ends what a killed process has left behind in the database. */
  readonly clear: () => Promise<void>;
}

/** Far apart, so that no two processes walk through the services side by side. */
const APART = 1_000_003;
/** Primes: another document in each turn, and other buyers. */
const HOT_STRIDE = 37;
const TURN_STRIDE = 104_729;
/** One caller first: some systems make their tables when they are first asked, and not for many at once. */
const FIRST = { callers: 1, from: 0, warmMs: 0, ms: 500 };
const WARM_UP = { ...FIRST, callers: 64, ms: 2_000 };

export function served(system: Served, sizes: Sizes): Contestant {
  const { name, adapter, database, place, processes = 1 } = system;
  const { services, warmMs, ms, drainMs } = sizes;
  const servers = Array.from({ length: processes }, () => new Server(adapter, place));
  const open = async (): Promise<void> => {
    for (const server of servers) {
      await server.open();
      await server.work({ ...FIRST, services, drainMs });
    }
  };
  /** What its callers still waited for is done by then, or never will be. */
  const startAgain = async (): Promise<void> => {
    for (const server of servers) await server.kill();
    await system.clear();
    for (const server of servers) await server.start();
  };

  return {
    name,
    database,
    about: () => ({ versions: servers[0]!.packages.map(versionOf).join(', '), setup: servers[0]!.setup }),
    // A caller for each process at least.
    takes: (asked) => asked.callers >= processes && system.takes(asked),
    prepare: async () => {
      for (const server of servers) await server.start();
      await servers[0]!.seed(services);
      await open();
      // Code that has never run is slow, and so is a disk that is still busy with seeding.
      const warm = [];
      for (const server of servers) warm.push(await server.work({ ...WARM_UP, services, drainMs }));
      if (warm.every(({ unanswered }) => unanswered === 0)) return;
      await startAgain();
      await open();
    },
    measure: async ({ callers, hot, turn, group }: Trial): Promise<Run> => {
      const before = await servers[0]!.count();
      const all = await Promise.all(
        servers.map((server, index) =>
          server.work({
            callers: Math.floor(callers / processes) + (index < callers % processes ? 1 : 0),
            services,
            hot: hot ? (turn * HOT_STRIDE) % services : undefined,
            from: index * APART + turn * TURN_STRIDE,
            warmMs,
            ms,
            drainMs,
            group,
          }),
        ),
      );
      const unanswered = sum(all.map((one) => one.unanswered));
      if (unanswered > 0) await startAgain();
      const run = merged(all, (await servers[0]!.count()) - before);
      if (unanswered > 0) await open();
      return run;
    },
    close: async () => {
      for (const server of servers) await server.close();
    },
  };
}

function merged(all: readonly Done[], stored: number): Run {
  const latencies = all.flatMap((one) => Array.from(one.latencies));
  const errors: Record<string, number> = {};
  for (const one of all)
    for (const [name, count] of Object.entries(one.errors)) errors[name] = (errors[name] ?? 0) + count;
  const groups = all.flatMap(({ group, tries = 1, commands }) =>
    group ? [{ batches: commands / group, tries, commands }] : [],
  );
  const batches = sum(groups.map((one) => one.batches));
  return {
    rate: sum(all.map(({ commands, seconds }) => commands / seconds)),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    errors,
    unanswered: sum(all.map((one) => one.unanswered)),
    acknowledged: sum(all.map((one) => one.acknowledged)),
    stored,
    unknown: sum(all.map(({ failed, unanswered }) => failed + unanswered)),
    group: batches > 0 ? sum(groups.map(({ commands }) => commands)) / batches : undefined,
    tries:
      batches > 0
        ? sum(groups.map((one) => one.tries * one.commands)) / sum(groups.map(({ commands }) => commands))
        : undefined,
    busy: sum(all.map((one) => one.busy)),
  };
}

function versionOf(name: string): string {
  const file = join(import.meta.dirname, 'node_modules', name, 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return `${name.split('node_modules/').at(-1)} ${version}`;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
