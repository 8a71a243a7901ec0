/**
 * Real server processes on real files: started, talked to in lines of JSON, and killed. What a process said before it
 * was killed is kept to the last whole line, because it says it by a plain write to a pipe that outlives it.
 *
 * Processes don't outlive the tests: each ends when its standard input does, and `endServers` kills what is left.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

/** A line that a server says: `say` names what it is about. */
export type Line = { readonly say: string } & Readonly<Record<string, unknown>>;

export interface Server {
  readonly pid: number;
  /** All whole lines so far. */
  readonly lines: readonly Line[];
  /** What it wrote to standard error. */
  readonly complaints: () => string;
  /** The first line that says it, as soon as it is there. Rejects if the process ends without. */
  readonly heard: (say: string, count?: number) => Promise<Line>;
  readonly tell: (message: unknown) => void;
  /** SIGKILL, and what was said before it: resolves when the pipe is empty. */
  readonly kill: () => Promise<readonly Line[]>;
  /** Resolves with the exit code (null if killed) when all it said has been read. */
  readonly ended: Promise<number | null>;
}

const running = new Set<() => Promise<unknown>>();

/** Code that was compiled once needn't be again: of a start's 150 ms of work a third is left. */
const compiled = mkdtempSync(join(tmpdir(), 'tidemark-compiled-'));

/** Kills what still runs. Tests that start servers call it after each test. */
export async function endServers(): Promise<void> {
  await Promise.all([...running].map((kill) => kill()));
}

afterAll(async () => {
  await endServers();
  rmSync(compiled, { recursive: true, force: true });
});

/**
 * Starts a TypeScript file of this folder as a process. `through` is what it is started by, if not directly:
 * `['strace', '-f']`.
 */
export function startServer(script: URL, args: readonly string[], through: readonly string[] = []): Server {
  const [program, ...rest] = [
    ...through,
    process.execPath,
    '--conditions=@tidemark/source',
    fileURLToPath(script),
    ...args,
  ];
  const child = spawn(program!, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  });
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let complaints = '';
  let unfinished = '';
  let over = false;
  child.stdin.on('error', () => undefined); // It may be dead already.
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (unfinished + text).split('\n');
    unfinished = parts.pop()!;
    for (const part of parts) lines.push(JSON.parse(part) as Line);
    for (const look of waiting) look();
  });
  const ended = new Promise<number | null>((resolve) => {
    const end = (code: number | null): void => {
      over = true;
      running.delete(kill);
      for (const look of waiting) look();
      resolve(code);
    };
    child.on('close', end);
    child.on('error', (error) => {
      complaints += `${program} could not be started: ${error.message}`;
      end(null);
    });
  });
  const kill = async (): Promise<readonly Line[]> => {
    child.kill('SIGKILL');
    // What it was started through may have left it alone: it ends when nobody can tell it anything any more.
    child.stdin.destroy();
    await ended;
    return lines;
  };
  running.add(kill);
  const heard = (say: string, count = 1): Promise<Line> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.filter((line) => line.say === say)[count - 1];
        if (!found && !over) return;
        waiting.delete(look);
        if (found) resolve(found);
        else reject(new Error(`The server ended before it said ${say} ${count} times. ${complaints}`));
      };
      waiting.add(look);
      look();
    });
  const tell = (message: unknown): void => void child.stdin.write(`${JSON.stringify(message)}\n`);
  return { pid: child.pid ?? 0, lines, complaints: () => complaints, heard, tell, kill, ended };
}
