/** Stores to replay a run on: each run gets an empty log of its own, which is removed after it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { start } from '../scripts/postgres-server.ts';
import { postgres } from '../src/store/postgres/index.ts';
import { sqlite } from '../src/store/sqlite/index.ts';
import { CLOCK_AHEAD_MS } from './machine.ts';
import type { Run } from './run.ts';
import { replay, type Replayed } from './replay.ts';

export interface Stores {
  /** @throws LawBroken if an answer is another than the simulated store's */
  replay(run: Run): Promise<Replayed>;
  end(): Promise<void>;
}

/** `sqlite:`, `postgres:` (a server that is started for it) or `postgres://…`. */
export function isStore(text: string): boolean {
  return text === 'sqlite:' || text === 'postgres:' || /^postgres(ql)?:\/\//.test(text);
}

export async function storesOf(text: string): Promise<Stores> {
  if (text === 'sqlite:') return onSqlite();
  if (text === 'postgres:') {
    const server = await start();
    return onPostgres(server.url, () => server.end());
  }
  return onPostgres(text, async () => undefined);
}

function onSqlite(): Stores {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-simulation-'));
  return {
    async replay({ seed, notes }) {
      const file = join(folder, `${seed}.db`);
      try {
        return await replay(notes, ({ now }) => sqlite(file, { clock: now, clockAheadMs: CLOCK_AHEAD_MS }));
      } finally {
        for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
      }
    },
    end: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function onPostgres(url: string, end: () => Promise<void>): Stores {
  let runs = 0;
  return {
    async replay({ seed, notes }) {
      const schema = `simulation_${process.pid}_${seed}_${(runs += 1)}`;
      try {
        return await replay(notes, ({ now }) => postgres(url, { schema, clock: now, clockAheadMs: CLOCK_AHEAD_MS }));
      } finally {
        const client = new pg.Client(url);
        await client.connect();
        await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        await client.end();
      }
    },
    end,
  };
}
