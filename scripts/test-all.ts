/**
 * All tests, in their long forms: `npm run test:all`. What they need beside Node and npm is looked for first; what is missing
 * is named, with the command that installs it. Arguments go to vitest.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that the tests run: Debian's package, and what for. */
const PROGRAMS: Readonly<Record<string, readonly [name: string, purpose: string]>> = {
  strace: ['strace', 'counts what the kernel was asked to sync'],
  ps: ['procps', 'tells which processes a database server has'],
  sqlite3: ['sqlite3', 'makes the backups that the documentation tells of'],
  pgbouncer: ['pgbouncer', 'stands between servers and PostgreSQL'],
};

/** Debian has the programs of servers where only root's PATH looks. */
const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

function isThere(program: string): boolean {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missing(): string[] {
  if (process.platform !== 'linux')
    return [`Linux: disks are filled and mounted here, and system calls traced; this is ${process.platform}.`];
  const lines = Object.entries(PROGRAMS)
    .filter(([program]) => !isThere(program))
    .map(([, [name, purpose]]) => `${name}, which ${purpose}: apt-get update && apt-get install -y ${name}`);
  if (process.getuid?.() !== 0) lines.push('root, for disks of a size that is chosen: sudo npm run test:all');
  return lines;
}

const lines = missing();
if (lines.length > 0) {
  process.stderr.write(`All tests need more than Node and npm:\n${lines.map((line) => `- ${line}\n`).join('')}`);
  process.exitCode = 1;
} else {
  const vitest = spawn('vitest', ['run', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TIDEMARK_ALL: '1' },
  });
  vitest.once('exit', (code) => (process.exitCode = code ?? 1));
}
