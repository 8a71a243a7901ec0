/** For tests: the program as a user starts it, in a process of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Figures } from './figures.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
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

/** The processes that a process has started. */
export function children(child: ChildProcess): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
