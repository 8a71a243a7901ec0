/** For tests: the program as a user starts it, in a separate process. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Figures } from './figures.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}, cwd = process.cwd()): Started {
  const child = spawn(process.execPath, ['--conditions=@tidemark/source', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    cwd,
  });
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, ended };
}

export function marketplace(args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<Ended> {
  return start(args, environment).ended;
}

/** The last line of stdout. */
export function figures({ stdout }: Ended): Figures {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Figures;
}

/** The processes that a process has started. Linux tells it in files: there `pgrep` may not be installed. */
export function children({ pid }: ChildProcess): number[] {
  try {
    const said =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return said.trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** What everybody on the machine can read of a process: what it was started with, and its environment. */
export function startedWith(pid: number): string {
  if (process.platform !== 'linux') return execFileSync('ps', ['eww', '-o', 'command=', '-p', String(pid)]).toString();
  return ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join(' ');
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
