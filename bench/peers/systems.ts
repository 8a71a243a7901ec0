/** Who takes part. */
import { join } from 'node:path';
import type { Case, Contestant, Sizes } from './contestant.ts';
import { pgbench } from './pgbench.ts';
import type { Cluster } from './postgres.ts';
import { served } from './served.ts';

interface System {
  readonly name: string;
  readonly adapter: string;
  readonly database: Contestant['database'];
  readonly processes?: number;
  readonly takes?: (asked: Case) => boolean;
}

export const TIDEMARK = 'Tidemark';
export const BARE = 'bare append_v1';
export const BARE_TOLD = 'bare append_v1, told';
export const PGBENCH = 'pgbench -N';
export const EMMETT = 'Emmett';

/** What a system is, for whoever reads nothing but a chart. */
const WORDS: Readonly<Record<string, string>> = {
  [TIDEMARK]: 'Tidemark, one server process',
  [`${TIDEMARK}, 2 processes`]: 'Tidemark, two server processes',
  [`${TIDEMARK}, 4 processes`]: 'Tidemark, four server processes',
  [BARE]: 'Tidemark’s SQL alone, batches made beforehand',
  [BARE_TOLD]: 'Tidemark’s SQL alone, told of documents as well',
  [PGBENCH]: 'PostgreSQL’s own benchmark (pgbench -N)',
};

export const inWords = (system: string): string => WORDS[system] ?? system;

/** In the order of their turns: what is compared with a limit stands side by side. */
const SYSTEMS: readonly System[] = [
  { name: TIDEMARK, adapter: 'tidemark-postgres', database: 'PostgreSQL' },
  { name: BARE, adapter: 'bare-append', database: 'PostgreSQL', takes: ({ hot }) => !hot },
  { name: BARE_TOLD, adapter: 'bare-told', database: 'PostgreSQL', takes: ({ hot }) => !hot },
  { name: `${TIDEMARK}, 2 processes`, adapter: 'tidemark-postgres', database: 'PostgreSQL', processes: 2 },
  { name: `${TIDEMARK}, 4 processes`, adapter: 'tidemark-postgres', database: 'PostgreSQL', processes: 4 },
  { name: EMMETT, adapter: 'emmett-postgres', database: 'PostgreSQL' },
  { name: 'Castore', adapter: 'castore-postgres', database: 'PostgreSQL' },
  { name: 'dcb-event-store', adapter: 'dcb-postgres', database: 'PostgreSQL' },
  { name: 'Act', adapter: 'act-postgres', database: 'PostgreSQL' },
  { name: TIDEMARK, adapter: 'tidemark-sqlite', database: 'SQLite' },
  { name: EMMETT, adapter: 'emmett-sqlite', database: 'SQLite' },
  { name: 'Act', adapter: 'act-sqlite', database: 'SQLite' },
  { name: 'Castore', adapter: 'castore-memory', database: 'memory' },
];

/** 128 callers are put to two processes only, as 64 for each. */
const fits = ({ processes, takes }: System, asked: Case): boolean =>
  (asked.callers !== 128 || processes === 2) && (takes?.(asked) ?? true);

/** Those that `only` names, by a part of their names or of their database's; all of them without it. */
export async function contestants(
  only: readonly string[],
  sizes: Sizes,
  cluster: Cluster,
  folder: string,
): Promise<Contestant[]> {
  const wanted = (name: string, database: string): boolean =>
    only.length === 0 || only.some((part) => `${name} ${database}`.toLowerCase().includes(part.toLowerCase()));
  const chosen: Contestant[] = [];
  for (const [index, system] of SYSTEMS.entries()) {
    if (!wanted(system.name, system.database)) continue;
    const database = `peer_${index}`;
    const inPostgres = system.database === 'PostgreSQL';
    const place = inPostgres ? await cluster.database(database) : join(folder, `${database}.db`);
    const clear = (): Promise<void> => (inPostgres ? cluster.clear(database) : Promise.resolve());
    chosen.push(served({ ...system, takes: (asked) => fits(system, asked), place, clear }, sizes));
  }
  if (wanted(PGBENCH, 'PostgreSQL')) chosen.splice(3, 0, pgbench(await cluster.database('peer_pgbench'), sizes));
  return chosen;
}
