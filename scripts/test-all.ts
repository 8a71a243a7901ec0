/**
 * All tests, in their long forms: `npm run test:all`. What they need beside Node and npm is looked for first; what is missing
 * is named, with the command that installs it.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { longerFiles } from './longer.ts';
import { Misused, parsedWithNames, script } from './options.ts';

const HELP = `Runs all tests, in their long forms, on Linux, as root. Names what is missing first.

  npm run test:all -- [options] [files]

  files                        only test files whose path has one of these words (all)
  -t, --testNamePattern WORDS  only tests whose name has these words
  --longer                     only the files that npm test leaves out, or runs in a shorter form
  --help                       this text

Exit code: 0 all pass; 1 one fails, or something is missing; 2 an option is wrong.
`;

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

/** What vitest is asked for. */
function read(args: readonly string[]): string[] {
  const { values, positionals } = parsedWithNames(args, {
    testNamePattern: { type: 'string', short: 't' },
    longer: { type: 'boolean' },
  });
  if (values.longer && positionals.length > 0)
    throw new Misused('--longer chooses the files: give it none. See --help.');
  const files = values.longer ? longerFiles() : positionals;
  return values.testNamePattern === undefined ? files : [...files, '-t', values.testNamePattern];
}

async function main(asked: readonly string[]): Promise<number> {
  const lines = missing();
  if (lines.length > 0) {
    process.stderr.write(`All tests need more than Node and npm:\n${lines.map((line) => `- ${line}\n`).join('')}`);
    return 1;
  }
  const env = { ...process.env, TIDEMARK_ALL: '1' };
  const vitest = spawn('vitest', ['run', ...asked], { stdio: 'inherit', env });
  const [code] = (await once(vitest, 'exit')) as [number | null];
  return code ?? 1;
}

await script(HELP, read, main);
