/**
 * Runs a PostgreSQL server, and ends it and removes its files when its own input is closed: so by whatever end the process
 * that started it comes to. A line of the input is a signal for the server, or START. What to run comes as JSON.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What is run, as which user, and what is removed when it has ended. */
export interface Guarded {
  readonly folder: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
}

const { folder, program, args, identity } = JSON.parse(process.argv[2]!) as Guarded;
let server: ChildProcess;
let exited: Promise<unknown>;

function begin(): void {
  server = spawn(program, args, { ...identity, cwd: folder, stdio: 'ignore' });
  // What can't be run at all is noticed by whoever waits for the server to be ready.
  exited = Promise.race([once(server, 'exit'), once(server, 'error')]).catch(() => undefined);
}

begin();
for await (const word of createInterface({ input: process.stdin })) {
  if (word === 'START') begin();
  else {
    server!.kill(word as NodeJS.Signals);
    await exited!;
  }
}
server!.kill('SIGINT');
await exited!;
rmSync(folder, { recursive: true, force: true });
