/**
 * `pgbench -N`: the simplest thing that PostgreSQL's own benchmark does durably (one update, one select, one insert, in a
 * transaction of its own). It comes with Debian's `postgresql-contrib`.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { percentile } from '../workload.ts';
import { ask } from './count.ts';
import { NotMeasured, type Contestant, type Run, type Sizes } from './contestant.ts';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';
/** 1,000,000 accounts: 64 clients hardly ever meet on one. */
const SCALE = 10;
/** As many threads as this machine has cores: pgbench itself is not to be what is measured. */
const THREADS = 2;
/** The column of pgbench's own log that holds how long the transaction took, in microseconds. */
const LATENCY = 2;

/** The newest that Debian has installed, or the first in the path. */
function program(): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const installed = versions.map((version) => join(DEBIAN, version, 'bin/pgbench')).find((file) => existsSync(file));
  return installed ?? 'pgbench';
}

export function pgbench(url: string, sizes: Sizes): Contestant {
  const { hostname, port, username, pathname } = new URL(url);
  const where = ['-h', hostname, '-p', port, '-U', username, pathname.slice(1)];
  const seconds = Math.max(1, Math.round((sizes.warmMs + sizes.ms) / 1_000));
  let versions = '';

  return {
    name: 'pgbench -N',
    database: 'PostgreSQL',
    about: () => ({ versions, setup: `scale ${SCALE}, -j ${THREADS}, no vacuum before a run; its work is its own` }),
    // 512 clients would be 512 connections.
    takes: ({ callers, hot }) => callers <= 64 && !hot,
    prepare: async () => {
      try {
        versions = (await run(program(), ['--version'])).stdout.trim();
      } catch {
        throw new NotMeasured("there is no pgbench here: it comes with Debian's postgresql-contrib");
      }
      await run(program(), ['-i', '-q', '-s', String(SCALE), ...where]);
    },
    measure: async ({ callers }): Promise<Run> => {
      const folder = mkdtempSync(join(tmpdir(), 'tidemark-pgbench-'));
      try {
        const before = Number(await ask(url, 'SELECT count(*) FROM pgbench_history'));
        const clients = ['-c', String(callers), '-j', String(Math.min(THREADS, callers))];
        const { stdout } = await run(program(), ['-N', '-n', '-T', String(seconds), ...clients, '-l', ...where], {
          cwd: folder,
        });
        const stored = Number(await ask(url, 'SELECT count(*) FROM pgbench_history')) - before;
        const latencies = readdirSync(folder).flatMap((file) =>
          readFileSync(join(folder, file), 'utf8')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => Number(line.split(' ')[LATENCY]) / 1_000),
        );
        const failed = Number(/failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0);
        return {
          rate: Number(/tps = ([\d.]+)/.exec(stdout)?.[1]),
          p50: percentile(latencies, 0.5),
          p99: percentile(latencies, 0.99),
          errors: failed > 0 ? { 'failed transactions': failed } : {},
          unanswered: 0,
          acknowledged: Number(/actually processed: (\d+)/.exec(stdout)?.[1]),
          stored,
          unknown: failed,
        };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    close: () => Promise.resolve(),
  };
}
